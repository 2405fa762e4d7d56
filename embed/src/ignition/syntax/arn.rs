//! Amazon resource names of S3 objects: `arn:PARTITION:s3:REGION:ACCOUNT:BUCKET/KEY`, or with
//! `accesspoint/NAME/KEY` as the last part.

/// Whether `name` names an object in S3, so that it can be fetched.
pub fn names_s3_object(name: &str) -> bool {
    let mut sections = name.splitn(6, ':');
    let (prefix, service) = (sections.next(), sections.nth(1));
    let Some(resource) = sections.nth(2) else {
        return false;
    };
    // Counted over the whole name, since that is what Ignition does.
    let parts = name.split('/').count();
    let wanted = if resource.starts_with("accesspoint/") {
        3
    } else {
        2
    };
    prefix == Some("arn") && service == Some("s3") && parts >= wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_buckets_and_access_points_are_named() {
        for good in [
            "arn:aws:s3:::bucket/key",
            "arn:aws:s3:us-west-2:123456789012:bucket/some/key",
            "arn:aws:s3:us-west-2:123456789012:accesspoint/name/key",
            "arn:aws:s3:::bucket/key:x",
        ] {
            assert!(names_s3_object(good), "{good}");
        }
        for bad in [
            "arn:",
            "arn:aws:s3::bucket/key",
            "arn:aws:iam:::bucket/key",
            "arn:aws:s3:::bucket",
            "arn:aws:s3:us-west-2:123456789012:accesspoint/name",
            "Arn:aws:s3:::bucket/key",
        ] {
            assert!(!names_s3_object(bad), "{bad}");
        }
    }
}
