"""Run coroutine tests in a lab that is opened and, whatever happens, closed in their own loop."""

import asyncio
import inspect

import pytest
from tests.contract.labs import Lab, LocalLab, SimulatedLab


@pytest.fixture(params=["simulated", pytest.param("local", marks=pytest.mark.real)])
def lab(request):
    return SimulatedLab() if request.param == "simulated" else LocalLab()


@pytest.fixture
def local():
    return LocalLab()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = pyfuncitem._fixtureinfo.argnames
    given = {name: pyfuncitem.funcargs[name] for name in wanted}
    labs: list[Lab] = [each for each in given.values() if isinstance(each, SimulatedLab | LocalLab)]

    async def play() -> None:
        try:
            for each in labs:
                await each.open()
            await pyfuncitem.obj(**given)
        finally:
            for each in labs:
                await each.close()

    asyncio.run(play())
    return True
