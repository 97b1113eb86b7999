#!/usr/bin/env bash
# Makes the plans in this directory anew with the terraform on the path.
set -euo pipefail
cd "$(dirname "$0")"
unset TF_CLI_CONFIG_FILE
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

tf() { terraform -chdir="$scratch" "$@" >&2; }

# Two secrets that exist only for this; the tests look for them.
pem() { printf -- '-----BEGIN CERTIFICATE-----\n%s\n%s\n-----END CERTIFICATE-----\n' "$1" "$2"; }
first=(-var database_password=hunter2-before -var "certificate=$(pem MIIBfirstlineBefore0123456789 secondlineBefore9876543210)")
second=(-var database_password=hunter2-after -var "certificate=$(pem MIIBfirstlineAfter0123456789 secondlineAfter9876543210)")

cp -r everything/modules "$scratch/"
cp everything/before.tf "$scratch/main.tf"
tf init
tf apply -auto-approve "${first[@]}"

tf plan -out quiet.tfplan "${first[@]}"
terraform -chdir="$scratch" show -json quiet.tfplan > quiet.json

tf plan -destroy -out destroy.tfplan "${first[@]}"
terraform -chdir="$scratch" show -json destroy.tfplan > destroy.json

tf plan -out target.tfplan -target terraform_data.still -replace terraform_data.still "${first[@]}"
terraform -chdir="$scratch" show -json target.tfplan > target.json

tf taint terraform_data.tainted
cp everything/after.tf "$scratch/main.tf"
tf plan -out everything.tfplan "${second[@]}"
terraform -chdir="$scratch" show -json everything.tfplan > everything.json
terraform -chdir="$scratch" show -no-color everything.tfplan > everything.txt
terraform -chdir="$scratch" show -json > state.json
