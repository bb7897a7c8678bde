from freehold.runtimes.local.units import Limits, agent_run_argv


def test_a_transient_unit_limits_memory_and_leaves_the_software_alone():
    argv = agent_run_argv(
        "freehold-a-0.service",
        ["/usr/bin/python3", "main.py", "/f"],
        environment={"LANG": "C.UTF-8"},
        limits=Limits(memory_bytes=1024, cpu=0.5),
        log="/l",
        user=True,
    )
    assert argv == (
        "systemd-run",
        "--user",
        "--quiet",
        "--unit=freehold-a-0.service",
        "--property=Type=exec",
        "--property=KillMode=process",
        "--property=Restart=no",
        "--property=OOMPolicy=continue",
        "--property=StandardOutput=append:/l",
        "--property=StandardError=append:/l",
        "--property=CollectMode=inactive-or-failed",
        "--property=MemoryMax=1024",
        "--property=CPUQuota=50%",
        "--setenv=LANG=C.UTF-8",
        "--",
        "/usr/bin/python3",
        "main.py",
        "/f",
    )
