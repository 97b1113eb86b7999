//! The harness's own parts hold what the tests take for granted.

use crate::harness::ministack::Ministack;

#[test]
fn the_aws_stand_in_keeps_objects_and_versions() {
    let bucket = Ministack::shared().bucket();
    assert_eq!(bucket.get("a"), None);
    bucket.put("a", "one");
    bucket.put("a", "two");
    assert_eq!(bucket.get("a").as_deref(), Some(b"two".as_slice()));
    assert_eq!(bucket.versions("a"), 2);
    bucket.delete("a");
    assert!(bucket.keys().is_empty());
}
