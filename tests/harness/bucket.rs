//! What is in the bucket, seen with other eyes than stategate's: the plain AWS SDK.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use serde_json::Value;

use super::ministack::{ACCESS_KEY, REGION, SECRET_KEY};
use super::process::runtime;

/// A bucket of the AWS stand-in.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub name: String,
    pub endpoint: String,
    client: Client,
}

/// A client of the stand-in with the working key.
pub fn client(endpoint: &str) -> Client {
    client_as(endpoint, (ACCESS_KEY, SECRET_KEY))
}

fn client_as(endpoint: &str, (key, secret): (&str, &str)) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new(key, secret, None, None, "harness"))
        .endpoint_url(endpoint)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .force_path_style(true)
        .build();
    Client::from_conf(config)
}

impl Bucket {
    /// Makes it, with versioning.
    pub fn create(endpoint: &str, name: &str) -> Self {
        let client = client(endpoint);
        runtime().block_on(async {
            client.create_bucket().bucket(name).send().await.expect("the bucket is made");
            let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
            let request = client.put_bucket_versioning().bucket(name).versioning_configuration(versioning);
            request.send().await.expect("the bucket is versioned");
        });
        Self { name: name.to_owned(), endpoint: endpoint.to_owned(), client }
    }

    /// An object's bytes, or `None` when there is none.
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        runtime().block_on(async {
            let answer = self.client.get_object().bucket(&self.name).key(key).send().await;
            match answer {
                Ok(object) => Some(object.body.collect().await.expect("the body arrives").to_vec()),
                Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => None,
                Err(error) => panic!("reading {key}: {error:?}"),
            }
        })
    }

    /// An object's JSON, or `None` when there is none.
    pub fn json(&self, key: &str) -> Option<Value> {
        self.get(key).map(|body| serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{key}: {error}")))
    }

    /// How an object is encrypted, and with which key.
    pub fn encryption(&self, key: &str) -> (Option<String>, Option<String>) {
        let request = self.client.head_object().bucket(&self.name).key(key);
        let answer = runtime().block_on(request.send()).expect("the object is there");
        let method = answer.server_side_encryption().map(|method| method.as_str().to_owned());
        (method, answer.ssekms_key_id().map(str::to_owned))
    }

    /// Stores an object.
    pub fn put(&self, key: &str, body: impl AsRef<[u8]>) {
        let body = body.as_ref().to_vec();
        let request = self.client.put_object().bucket(&self.name).key(key).body(body.into());
        runtime().block_on(request.send()).expect("the object is stored");
    }

    /// Whether somebody with this key and secret may store an object.
    pub fn may_put(&self, who: &(String, String), key: &str) -> bool {
        let client = client_as(&self.endpoint, (&who.0, &who.1));
        let request = client.put_object().bucket(&self.name).key(key).body(b"{}".to_vec().into());
        runtime().block_on(request.send()).is_ok()
    }

    /// Whether somebody with this key and secret may read an object that is there.
    pub fn may_get(&self, who: &(String, String), key: &str) -> bool {
        let client = client_as(&self.endpoint, (&who.0, &who.1));
        runtime().block_on(client.get_object().bucket(&self.name).key(key).send()).is_ok()
    }

    /// Removes an object.
    pub fn delete(&self, key: &str) {
        let request = self.client.delete_object().bucket(&self.name).key(key);
        runtime().block_on(request.send()).expect("the object is removed");
    }

    /// All keys there are now, sorted.
    pub fn keys(&self) -> Vec<String> {
        let request = self.client.list_objects_v2().bucket(&self.name);
        let answer = runtime().block_on(request.send()).expect("the bucket is listed");
        answer.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
    }

    /// The locks there are now.
    pub fn locks(&self) -> Vec<String> {
        self.keys().into_iter().filter(|key| key.ends_with(".tflock")).collect()
    }

    /// How many versions an object ever had, delete markers not counted.
    pub fn versions(&self, key: &str) -> usize {
        let request = self.client.list_object_versions().bucket(&self.name).prefix(key);
        let answer = runtime().block_on(request.send()).expect("the versions are listed");
        answer.versions().iter().filter(|version| version.key() == Some(key)).count()
    }
}
