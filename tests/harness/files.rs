//! The team's repository as files: modules, and a root module for each environment.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::bucket::Bucket;
use super::ministack::REGION;

/// Where the production state is.
pub const PROD: &str = "environments/prod";
pub const PROD_KEY: &str = "prod/app/terraform.tfstate";
pub const PROD_LOCK: &str = "prod/app/terraform.tfstate.tflock";
pub const DEV: &str = "environments/dev";

const SERVICE: &str = r#"variable "name" { type = string }

variable "image" { type = string }

variable "replicas" { type = number }

variable "region" {
  type    = string
  default = "eu-west-1"
}

# Stands for a service: its image can change in place, its region cannot.
resource "terraform_data" "service" {
  input            = { name = var.name, image = var.image }
  triggers_replace = [var.region]
}

resource "terraform_data" "replica" {
  count = var.replicas
  input = "${var.name}-${count.index}"
}

output "image" { value = terraform_data.service.output.image }
"#;

/// A checkout.
#[derive(Debug, Clone)]
pub struct Files {
    pub root: PathBuf,
}

impl Files {
    /// The team's tree, with its state in the bucket.
    pub fn team(root: PathBuf, bucket: &Bucket) -> Self {
        let files = Self { root };
        files.write("modules/service/main.tf", SERVICE);
        for (name, replicas) in [("dev", 1), ("prod", 2)] {
            let directory = format!("environments/{name}");
            files.write(
                &format!("{directory}/backend.tf"),
                &backend(bucket, &format!("{name}/app/terraform.tfstate"), ""),
            );
            files.write(&format!("{directory}/main.tf"), &services(replicas));
        }
        files
    }

    /// Writes a file, and its directories. A script can be run.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("the directory can be made");
        fs::write(&path, text).expect("the file can be written");
        if text.starts_with("#!") {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("the script can be made one");
        }
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Replaces a text that must be there.
    #[track_caller]
    pub fn replace(&self, path: &str, old: &str, new: &str) {
        let text = self.read(path);
        assert!(text.contains(old), "{path} has no {old:?}:\n{text}");
        self.write(path, &text.replace(old, new));
    }

    /// Adds to the end of a file.
    pub fn append(&self, path: &str, text: &str) {
        self.write(path, &format!("{}\n{text}", self.read(path)));
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// A copy of all files, without what Terraform leaves behind.
    pub fn copy_to(&self, root: PathBuf) -> Self {
        let copy = Self { root };
        for (path, text) in self.all() {
            copy.write(&path, &text);
        }
        copy
    }

    /// Carries over what `theirs` changed since `base`, file by file.
    pub fn take_changes(&self, base: &Self, theirs: &Self) {
        let (before, after) = (base.all(), theirs.all());
        for (path, text) in &after {
            if before.get(path) != Some(text) {
                self.write(path, text);
            }
        }
        for path in before.keys().filter(|path| !after.contains_key(*path)) {
            if self.root.join(path).exists() {
                self.remove(path);
            }
        }
    }

    /// Every file's path and text.
    pub fn all(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        collect(&self.root, &self.root, &mut found);
        found
    }
}

fn collect(root: &Path, directory: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).expect("the directory can be listed") {
        let path = entry.expect("the entry can be read").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if name != ".terraform" {
                collect(root, &path, found);
            }
        } else if let Ok(text) = fs::read_to_string(&path) {
            let path = path.strip_prefix(root).expect("the file is below the root");
            found.insert(path.to_string_lossy().into_owned(), text);
        }
    }
}

/// A backend block for the stand-in, with further settings.
pub fn backend(bucket: &Bucket, key: &str, more: &str) -> String {
    let Bucket { name, endpoint, .. } = bucket;
    format!(
        r#"terraform {{
  backend "s3" {{
    bucket       = "{name}"
    key          = "{key}"
    region       = "{REGION}"
    encrypt      = true
    use_lockfile = true
{more}
    use_path_style              = true
    skip_credentials_validation = true
    skip_metadata_api_check     = true
    skip_region_validation      = true
    skip_requesting_account_id  = true

    endpoints = {{ s3 = "{endpoint}", dynamodb = "{endpoint}", sts = "{endpoint}", iam = "{endpoint}" }}
  }}
}}
"#
    )
}

fn services(replicas: u32) -> String {
    format!(
        r#"module "web" {{
  source   = "../../modules/service"
  name     = "web"
  image    = "web:1.0"
  replicas = {replicas}
}}

module "worker" {{
  source   = "../../modules/service"
  name     = "worker"
  image    = "worker:1.0"
  replicas = 1
}}

output "web_image" {{ value = module.web.image }}
"#
    )
}
