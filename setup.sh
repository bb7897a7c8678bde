#!/bin/sh
# Install Freehold into an environment of its own. Run it again to upgrade or repair.
#
#   ./setup.sh                     install, and link the command
#   ./setup.sh install cassandra   the same, then run: freehold install cassandra
#   ./setup.sh --dev               make ./.venv with everything the tests need
#   ./setup.sh --python PATH …     use this interpreter
#
# The environment: as root /opt/freehold, else ${XDG_DATA_HOME:-~/.local/share}/freehold/env.
# Only the command, the daemon and agents use it. The accounts that software runs under need
# nothing of it, so it may lie in a home that they cannot enter.
# Packages come from wherever your pip is set to fetch from, and have to match the hashes here.
set -eu
umask 022
unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_ROOT 2>/dev/null || true
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

here=$(cd "$(dirname "$0")" && pwd)
began=$(date +%s)

say() { printf '%4ss  %s\n' "$(($(date +%s) - began))" "$*" >&2; }

fail() {
  printf '%s\n' "$1" >&2
  [ -z "${2-}" ] || printf 'next: %s\n' "$2" >&2
  exit 70
}

is_python() { # a command that starts and is new enough; a shim may exist and still not start
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
  for each in ${chosen:-python3.13 python3.12 python3.11 python3 python3.14}; do
    if is_python "$each"; then
      "$each" -c 'import sys; print(sys.executable)'
      return
    fi
  done
  [ -z "$chosen" ] || fail "cannot use $chosen: it does not start, or is older than Python 3.11"
  fail "cannot find Python 3.11 or newer" \
    "install it (Debian, Ubuntu: apt-get install python3 python3-venv), then ./setup.sh"
}

make_environment() { # $1 folder, $2 python
  if is_python "$1/bin/python" && "$1/bin/python" -m pip --version >/dev/null 2>&1; then
    return
  fi
  [ ! -d "$1" ] || [ -f "$1/pyvenv.cfg" ] || [ -z "$(ls -A "$1")" ] ||
    fail "cannot use $1: it exists and is no Python environment" "move it away, then ./setup.sh"
  say "making the environment $1 with $2"
  mkdir -p "$1"
  # A system Python that is "externally managed" may not be changed; this leaves it alone.
  if "$2" -c 'import venv, ensurepip' 2>/dev/null && "$2" -m venv --clear "$1" >/dev/null 2>&1; then
    return
  fi
  if "$2" -m virtualenv --version >/dev/null 2>&1 && "$2" -m virtualenv -q --clear "$1"; then
    return
  fi
  if "$2" -m pip --version >/dev/null 2>&1 && "$2" -m venv --clear --without-pip "$1" 2>/dev/null &&
    "$2" -m pip --python "$1/bin/python" install -q pip; then
    return
  fi
  minor=$("$2" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
  if [ "$(id -u)" = 0 ] && [ -z "${tried_apt-}" ] && command -v apt-get >/dev/null 2>&1; then
    say "this Python cannot make environments: installing $minor-venv"
    tried_apt=yes
    { apt-get install -y -qq "$minor-venv" || { apt-get update -qq &&
      apt-get install -y -qq "$minor-venv"; }; } >/dev/null 2>&1 || true
    rm -rf "$1"
    make_environment "$1" "$2"
    return
  fi
  rm -rf "$1"
  fail "cannot make a Python environment: $2 has neither venv with ensurepip nor pip" \
    "as root: apt-get install $minor-venv, then ./setup.sh"
}

locked() { # $1 environment, then requirement files
  python=$1/bin/python
  shift
  for each in "$@"; do
    set -- -r "$here/requirements/$each.txt"
    "$python" -m pip install -q --require-hashes --no-deps --only-binary :all: "$@" ||
      fail "cannot fetch the packages of requirements/$each.txt (see pip above)" \
        "check the index your pip uses: $python -m pip config list"
  done
}

stamp_of() { # $@ files or folders: one line that changes with them
  find "$@" -type f ! -name '*.pyc' -exec cksum {} + | LC_ALL=C sort | cksum
}

install_dev() {
  environment=$here/.venv
  stamp=$(stamp_of "$here/requirements" "$here/pyproject.toml")
  if [ "$(cat "$environment/.setup" 2>/dev/null)" = "$stamp" ] && is_python "$environment/bin/python"; then
    say "the development environment is up to date"
    return
  fi
  interpreter=$(find_python)
  make_environment "$environment" "$interpreter"
  say "fetching what the tests need"
  locked "$environment" runtime build dev
  "$environment/bin/python" -m pip install -q --no-deps --no-build-isolation -e "$here"
  printf '%s\n' "$stamp" >"$environment/.setup"
  say "ready: $environment"
}

install_product() {
  if [ "$(id -u)" = 0 ]; then
    environment=/opt/freehold
    commands=/usr/local/bin
  else
    environment=${XDG_DATA_HOME:-$HOME/.local/share}/freehold/env
    commands=$HOME/.local/bin
  fi
  stamp=$(stamp_of "$here/requirements" "$here/pyproject.toml" "$here/src" "$here/catalog")
  if [ "$(cat "$environment/.setup" 2>/dev/null)" != "$stamp" ] || ! is_python "$environment/bin/python"; then
    interpreter=$(find_python)
    make_environment "$environment" "$interpreter"
    say "fetching what Freehold needs"
    locked "$environment" runtime
    say "installing Freehold"
    build_and_install
    printf '%s\n' "$stamp" >"$environment/.setup"
  fi
  mkdir -p "$commands"
  ln -sf "$environment/bin/freehold" "$commands/freehold"
  say "installed: $commands/freehold ($("$environment/bin/freehold" --version))"
}

build_and_install() { # with tools that do not stay: only their hashes are trusted, no isolation
  tools=$(mktemp -d)
  trap 'rm -rf "$tools"' EXIT
  "$environment/bin/python" -m pip install -q --require-hashes --no-deps --only-binary :all: \
    --target "$tools" -r "$here/requirements/build.txt" ||
    fail "cannot fetch the packages of requirements/build.txt (see pip above)"
  PYTHONPATH=$tools "$environment/bin/python" -m pip install -q --no-deps --no-build-isolation \
    --force-reinstall --no-warn-script-location "$here" ||
    fail "cannot build Freehold (see pip above)"
  rm -rf "$tools"
}

chosen=${FREEHOLD_PYTHON-}
dev=
while [ $# -gt 0 ]; do
  case $1 in
    --dev) dev=yes && shift ;;
    --python) chosen=${2:?--python needs a path} && shift 2 ;;
    -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$0" && exit 0 ;;
    --) shift && break ;;
    -*) fail "cannot understand $1" "./setup.sh --help" ;;
    *) break ;;
  esac
done

if [ -n "$dev" ]; then
  install_dev
  exit 0
fi
install_product
[ "${1-}" != freehold ] || shift
if [ $# -gt 0 ]; then
  exec "$environment/bin/freehold" "$@"
fi
case :$PATH: in
  *:$commands:*) say "next: freehold install cassandra" ;;
  *) say "next: $commands/freehold install cassandra" ;;
esac
