#!/usr/bin/env bash
# githubkit 0.16.1 allows hishel from 1.3.0 to 2.0.0 and cannot be imported with 2.0.0: pip installs
# the two together without a complaint.
#
# Seen with githubkit 0.16.1 and hishel 2.0.0 (PyPI):
#   pip install githubkit==0.16.1 hishel==2.0.0; pip check    no broken requirements
#   import githubkit                                          ImportError: cannot import name 'CachePolicy' from 'hishel'
#   with hishel 1.4.0                                         imported
set -euo pipefail
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"

imported() { "$work/venv/bin/python" -c 'import githubkit; print("imported")' 2>&1 | grep -o "imported\|cannot import name 'CachePolicy' from 'hishel'" | tail -1; }
packages githubkit==0.16.1 hishel==2.0.0
same 'pip check' 'No broken requirements found.' "$("$work/venv/bin/python" -m pip check)"
same 'with hishel 2.0.0' "cannot import name 'CachePolicy' from 'hishel'" "$(imported)"
packages hishel==1.4.0
same 'with hishel 1.4.0' imported "$(imported)"
