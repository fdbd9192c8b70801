//! Conditions on generations that a request may set.

use crate::failure::Failure;
use crate::object::Object;
use crate::path::Query;

/// `ifGenerationMatch` and its kin; generation 0 stands for "there is none".
#[derive(Clone, Copy, Debug, Default)]
pub struct Preconditions {
    /// The live generation must be this one.
    pub generation: Option<i64>,
    /// The live generation must be another one.
    pub not_generation: Option<i64>,
    /// The live metageneration must be this one.
    pub metageneration: Option<i64>,
    /// The live metageneration must be another one.
    pub not_metageneration: Option<i64>,
}

impl Preconditions {
    /// Only where no object of that name is there.
    pub const ABSENT: Self = Self {
        generation: Some(0),
        not_generation: None,
        metageneration: None,
        not_metageneration: None,
    };

    pub(crate) fn from_query(query: &Query) -> Result<Self, Failure> {
        Ok(Self {
            generation: query.number("ifGenerationMatch")?,
            not_generation: query.number("ifGenerationNotMatch")?,
            metageneration: query.number("ifMetagenerationMatch")?,
            not_metageneration: query.number("ifMetagenerationNotMatch")?,
        })
    }

    /// The conditions on the source of a copy.
    pub(crate) fn of_source(query: &Query) -> Result<Self, Failure> {
        Ok(Self {
            generation: query.number("ifSourceGenerationMatch")?,
            not_generation: query.number("ifSourceGenerationNotMatch")?,
            metageneration: query.number("ifSourceMetagenerationMatch")?,
            not_metageneration: query.number("ifSourceMetagenerationNotMatch")?,
        })
    }

    /// Checks them against what is there.
    pub(crate) fn check(&self, live: Option<&Object>) -> Result<(), Failure> {
        let generation = live.map_or(0, |object| object.generation);
        let metageneration = live.map_or(0, |object| object.metageneration);
        let holds = self.generation.is_none_or(|wanted| wanted == generation)
            && self
                .metageneration
                .is_none_or(|wanted| wanted == metageneration)
            && self
                .not_generation
                .is_none_or(|unwanted| unwanted != generation)
            && self
                .not_metageneration
                .is_none_or(|unwanted| unwanted != metageneration);
        if holds {
            Ok(())
        } else {
            Err(Failure::PreconditionFailed)
        }
    }

    /// Checks the conditions on a bucket's metageneration.
    pub(crate) fn check_bucket(&self, metageneration: i64) -> Result<(), Failure> {
        let holds = self.metageneration.is_none_or(|it| it == metageneration)
            && self
                .not_metageneration
                .is_none_or(|it| it != metageneration);
        if holds {
            Ok(())
        } else {
            Err(Failure::PreconditionFailed)
        }
    }

    /// As [`check`](Self::check); on a read an unmet "not" means that nothing changed.
    pub(crate) fn check_read(&self, live: &Object) -> Result<(), Failure> {
        let positive = Self {
            not_generation: None,
            not_metageneration: None,
            ..*self
        };
        positive.check(Some(live))?;
        self.check(Some(live)).map_err(|_| Failure::NotModified)
    }
}

/// Checks `If-Match` and `If-None-Match` of a read.
pub(crate) fn check_etags(headers: &http::HeaderMap, etag: &str) -> Result<(), Failure> {
    let names = |name: http::HeaderName| {
        let text = headers.get(name)?.to_str().ok()?;
        let mut tags = text.split(',').map(|tag| tag.trim().trim_matches('"'));
        Some(tags.any(|tag| tag == "*" || tag == etag))
    };
    if names(http::header::IF_MATCH) == Some(false) {
        return Err(Failure::PreconditionFailed);
    }
    if names(http::header::IF_NONE_MATCH) == Some(true) {
        return Err(Failure::NotModified);
    }
    Ok(())
}
