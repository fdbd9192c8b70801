//! Which call a path means: object names come with their slashes plain or encoded, so the raw path decides.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::failure::Failure;

/// What stays readable in a link.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Percent-encodes an object name for use in a link.
pub(crate) fn encode(name: &str) -> String {
    utf8_percent_encode(name, UNRESERVED).to_string()
}

/// The thing that a path addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `/batch/storage/v1`.
    Batch,
    /// `/storage/v1/b`.
    Buckets,
    /// `/storage/v1/b/B`.
    Bucket(String),
    /// `/storage/v1/b/B/storageLayout`.
    StorageLayout(String),
    /// `/storage/v1/b/B/managedFolders` or `folders`.
    Folders(String),
    /// `/storage/v1/b/B/iam`.
    Iam(String),
    /// `/storage/v1/b/B/iam/testPermissions`.
    TestPermissions(String),
    /// `/storage/v1/projects/P/serviceAccount`.
    ServiceAccount(String),
    /// `/storage/v1/b/B/o`.
    Objects(String),
    /// `/storage/v1/b/B/o/O`.
    Object(String, String),
    /// `/download/storage/v1/b/B/o/O`.
    Download(String, String),
    /// `/storage/v1/b/B/o/O/rewriteTo/b/C/o/P` or `copyTo`.
    Copy {
        from: (String, String),
        to: (String, String),
        rewrite: bool,
    },
    /// `/storage/v1/b/B/o/O/compose`.
    Compose(String, String),
    /// `/upload/storage/v1/b/B/o` or `/resumable/upload/…`.
    Upload(String),
    /// `/B/O`: the XML API, as signed addresses use it.
    Xml(String, String),
    /// Anything else.
    Unknown,
}

impl Target {
    /// Reads a raw path, without its query.
    pub(crate) fn parse(path: &str) -> Result<Self, Failure> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_prefix("resumable/").unwrap_or(path);
        if path == "batch" || path.starts_with("batch/") {
            return Ok(Self::Batch);
        }
        let first = path.split('/').next().unwrap_or_default();
        if !["storage", "upload", "download", "b"].contains(&first) {
            // Buckets of these names cannot be reached this way; no client in use asks for them.
            return Ok(match path.split_once('/') {
                Some((bucket, name)) if !name.is_empty() => {
                    Self::Xml(decode(bucket)?, decode(name)?)
                }
                _ => Self::Unknown,
            });
        }
        if let Some(rest) = path.strip_prefix("upload/storage/v1/b/") {
            return Ok(match rest.trim_end_matches('/').split_once('/') {
                Some((bucket, "o")) => Self::Upload(decode(bucket)?),
                _ => Self::Unknown,
            });
        }
        let (rest, download) = match path.strip_prefix("download/") {
            Some(rest) => (rest, true),
            None => (path, false),
        };
        if let Some(project) = rest
            .strip_prefix("storage/v1/projects/")
            .and_then(|rest| rest.strip_suffix("/serviceAccount"))
        {
            return Ok(Self::ServiceAccount(decode(project)?));
        }
        // Some clients leave the service's name out.
        let rest = rest.strip_prefix("storage/v1/").unwrap_or(rest);
        let Some(rest) = rest.strip_prefix('b') else {
            return Ok(Self::Unknown);
        };
        let Some(rest) = rest.strip_prefix('/').filter(|rest| !rest.is_empty()) else {
            return Ok(if rest.is_empty() || rest == "/" {
                Self::Buckets
            } else {
                Self::Unknown
            });
        };
        let (bucket, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let bucket = decode(bucket)?;
        match rest {
            "" => return Ok(Self::Bucket(bucket)),
            "storageLayout" => return Ok(Self::StorageLayout(bucket)),
            "managedFolders" | "folders" => return Ok(Self::Folders(bucket)),
            "iam" => return Ok(Self::Iam(bucket)),
            "iam/testPermissions" => return Ok(Self::TestPermissions(bucket)),
            "o" | "o/" => return Ok(Self::Objects(bucket)),
            _ => {}
        }
        let Some(object) = rest.strip_prefix("o/") else {
            return Ok(Self::Unknown);
        };
        if download {
            return Ok(Self::Download(bucket, decode(object)?));
        }
        for (marker, rewrite) in [("/rewriteTo/b/", true), ("/copyTo/b/", false)] {
            if let Some((from, to)) = object.split_once(marker)
                && let Some((to_bucket, to)) = to.split_once("/o/")
            {
                return Ok(Self::Copy {
                    from: (bucket, decode(from)?),
                    to: (decode(to_bucket)?, decode(to)?),
                    rewrite,
                });
            }
        }
        if let Some(object) = object.strip_suffix("/compose") {
            return Ok(Self::Compose(bucket, decode(object)?));
        }
        Ok(Self::Object(bucket, decode(object)?))
    }
}

fn decode(text: &str) -> Result<String, Failure> {
    percent_decode_str(text)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Failure::Invalid(format!("`{text}` is not UTF-8")))
}

/// The query of a request, decoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let decode_value = |text: &str| decode(&text.replace('+', " "));
        text.split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decode_value(key)?, decode_value(value)?))
            })
            .collect::<Result<_, Failure>>()
            .map(Self)
    }

    /// Every value of a key.
    pub(crate) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let of_key = self.0.iter().filter(move |(name, _)| name == key);
        of_key.map(|(_, value)| value.as_str())
    }

    /// The first value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// A whole number.
    pub(crate) fn number(&self, key: &str) -> Result<Option<i64>, Failure> {
        self.get(key)
            .map(|text| {
                text.parse()
                    .map_err(|_| Failure::Invalid(format!("invalid value for `{key}`: `{text}`")))
            })
            .transpose()
    }

    /// How many items a page may have: at most and by default 1000, as in the real service.
    pub(crate) fn page_size(&self) -> Result<usize, Failure> {
        match self.number("maxResults")?.map(usize::try_from) {
            Some(Err(_)) => Err(Failure::Invalid(
                "invalid value for `maxResults`".to_owned(),
            )),
            Some(Ok(limit @ 1..1000)) => Ok(limit),
            _ => Ok(1000),
        }
    }

    /// A truth value; absent is false.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.get(key)
            .is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }
}

/// Sees that a bucket may be called so.
pub(crate) fn check_bucket_name(name: &str) -> Result<(), Failure> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    let outer = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = name.as_bytes();
    let valid = (3..=222).contains(&bytes.len())
        && name.bytes().all(inner)
        && bytes.first().is_some_and(outer)
        && bytes.last().is_some_and(outer)
        && (name.contains('.') || name.len() <= 63)
        && name.split('.').all(|part| (1..=63).contains(&part.len()))
        && name.parse::<std::net::Ipv4Addr>().is_err()
        && !name.starts_with("goog")
        && !name.contains("google");
    if valid {
        Ok(())
    } else {
        Err(Failure::Invalid(format!("Invalid bucket name: '{name}'")))
    }
}

/// Sees that an object may be called so.
pub(crate) fn check_object_name(name: &str) -> Result<(), Failure> {
    let valid = (1..=1024).contains(&name.len())
        && !name.contains(['\r', '\n'])
        && name != "."
        && name != ".."
        && !name.starts_with(".well-known/acme-challenge/");
    if valid {
        Ok(())
    } else {
        Err(Failure::Invalid(format!(
            "Invalid object name: '{}'",
            name.escape_debug()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::{Query, Target, check_bucket_name, check_object_name, encode};

    #[test]
    fn paths_mean_the_same_with_slashes_plain_or_encoded() {
        let check = |path: &str, expected: Target| {
            assert_eq!(Target::parse(path).expect("valid"), expected, "{path}");
        };
        let name = |text: &str| ("buc".to_owned(), text.to_owned());
        let object = |text: &str| Target::Object("buc".to_owned(), text.to_owned());
        check("/storage/v1/b", Target::Buckets);
        check("/storage/v1/b/", Target::Buckets);
        check("/storage/v1/b/buc", Target::Bucket("buc".to_owned()));
        check("/storage/v1/b/buc/o", Target::Objects("buc".to_owned()));
        check("/storage/v1/b/buc/o/a%2Fb%20c", object("a/b c"));
        check("/storage/v1/b/buc/o/a/b%25", object("a/b%"));
        check("/storage/v1/b/buc/o/a+b//c/", object("a+b//c/"));
        check(
            "/download/storage/v1/b/buc/o/x%2Fcompose",
            Target::Download("buc".to_owned(), "x/compose".to_owned()),
        );
        check("/storage/v1/b/buc/o/x%2Fcompose", object("x/compose"));
        check(
            "/storage/v1/b/buc/o/x/compose",
            Target::Compose("buc".to_owned(), "x".to_owned()),
        );
        check(
            "/storage/v1/b/buc/o/a%2Fb/rewriteTo/b/buc/o/c%2Fd",
            Target::Copy {
                from: name("a/b"),
                to: name("c/d"),
                rewrite: true,
            },
        );
        for prefix in ["/upload", "/resumable/upload"] {
            check(
                &format!("{prefix}/storage/v1/b/buc/o"),
                Target::Upload("buc".to_owned()),
            );
        }
        check("/batch/storage/v1", Target::Batch);
        check("/storage/v2/b", Target::Unknown);
        check("/storage/v1/b/buc/iam", Target::Iam("buc".to_owned()));
        check("/storage/v1/b/buc/notificationConfigs", Target::Unknown);
        check("/b/buc", Target::Bucket("buc".to_owned()));
        let (bucket, object_name) = name("a b/c");
        check("/buc/a%20b/c", Target::Xml(bucket, object_name));
        check("/buc", Target::Unknown);
        assert!(Target::parse("/storage/v1/b/buc/o/%FF").is_err());
    }

    #[test]
    fn any_name_survives_the_way_through_a_link() {
        let name = "a/b c+d%2F?#&=ü\u{1F600}";
        let path = format!("/storage/v1/b/buc/o/{}", encode(name));
        assert_eq!(
            Target::parse(&path).expect("valid"),
            Target::Object("buc".to_owned(), name.to_owned())
        );
        let query = Query::parse(&format!("name={}&x=1+2", encode(name))).expect("valid");
        assert_eq!(query.get("name"), Some(name));
        assert_eq!(query.get("x"), Some("1 2"));
    }

    #[test]
    fn names_are_those_that_the_service_takes() {
        let dotted = format!("{0}.{0}.{0}", "x".repeat(63));
        for name in ["abc", "a-b_c.d", "1ab", &"x".repeat(63), &dotted] {
            assert!(check_bucket_name(name).is_ok(), "{name}");
        }
        let long = "x".repeat(64);
        let refused = [
            "ab",
            "Abc",
            "-ab",
            "ab-",
            "a..b",
            "a/b",
            "..",
            "../../etc",
            "10.0.0.1",
            "googol",
            "my-google",
            "äbc",
            "",
            &long,
        ];
        for name in refused {
            assert!(check_bucket_name(name).is_err(), "{name}");
        }
        for name in [
            "a",
            "../../etc/passwd",
            "a/../b",
            "/",
            " ",
            "a\tb",
            &"x".repeat(1024),
        ] {
            assert!(check_object_name(name).is_ok(), "{name}");
        }
        for name in ["", ".", "..", "a\nb", "a\rb", &"ü".repeat(513)] {
            assert!(check_object_name(name).is_err(), "{name}");
        }
    }
}
