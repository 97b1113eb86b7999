//! Lists in GraphQL's answers. GitHub hides what a token may not see as a `null` in the list, answers
//! in pages, and may leave a list out where something failed. What was not seen must never look like
//! what is not there, so a list gives out what it holds only by one of the ways here.

use serde::Deserialize;

use super::error::GitHubError;

/// A list, or a page of one. Missing, `null`, and with holes are states that it can be in; none of
/// them can be read.
///
/// The query must ask for `pageInfo { hasNextPage endCursor }` and `nodes`.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Connection<T>(Option<Page<T>>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    nodes: Vec<Option<T>>,
    page_info: PageInfo,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

impl<T> Default for Connection<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Connection<T> {
    /// What stands on this page, and where the next one starts.
    ///
    /// # Errors
    ///
    /// When the list or something in it is not shown, or there is a further page and no way to it.
    pub(super) fn page(self, of: &str) -> Result<(Vec<T>, Option<String>), GitHubError> {
        let Page { nodes, page_info } = self.0.ok_or_else(|| unreadable(&format!("{of} are not shown")))?;
        let nodes: Option<Vec<T>> = nodes.into_iter().collect();
        let nodes = nodes.ok_or_else(|| unreadable(&format!("one of {of} is not shown")))?;
        match (page_info.has_next_page, page_info.end_cursor) {
            (false, _) => Ok((nodes, None)),
            (true, Some(cursor)) if !cursor.is_empty() => Ok((nodes, Some(cursor))),
            (true, _) => Err(unreadable(&format!("there are more of {of}, and no way to them"))),
        }
    }

    /// All that there is, where it is asked for in one page.
    ///
    /// # Errors
    ///
    /// As for [`Self::page`], and when there is a further page.
    pub(super) fn all(self, of: &str) -> Result<Vec<T>, GitHubError> {
        match self.page(of)? {
            (nodes, None) => Ok(nodes),
            (_, Some(_)) => Err(unreadable(&format!("there are more of {of} than fit on a page"))),
        }
    }
}

/// An answer of GraphQL's that cannot be read; REST may tell.
pub(super) fn unreadable(why: &str) -> GitHubError {
    GitHubError::Unreadable { method: "POST", path: "graphql".to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Holder {
        #[serde(default)]
        list: Connection<u8>,
    }

    #[test]
    fn a_list_with_a_hole_is_never_read_as_a_shorter_one() {
        let last = r#""pageInfo":{"hasNextPage":false,"endCursor":null}"#;
        let next = |cursor: &str| format!(r#""pageInfo":{{"hasNextPage":true,"endCursor":{cursor}}}"#);
        let read = |text: &str| {
            let held = || serde_json::from_str::<Holder>(text).ok().map(|holder| holder.list);
            let page = held().and_then(|list| list.page("numbers").ok());
            (page, held().and_then(|list| list.all("numbers").ok()))
        };
        let with = |list: &str| read(&format!(r#"{{"list":{list}}}"#));
        let whole = (vec![1, 2], None);
        assert_eq!(with(&format!(r#"{{"nodes":[1,2],{last}}}"#)), (Some(whole.clone()), Some(whole.0)));
        assert_eq!(
            with(&format!(r#"{{"nodes":[1],{}}}"#, next("\"x\""))),
            (Some((vec![1], Some("x".to_owned()))), None)
        );
        for hole in [
            "null".to_owned(),
            "{}".to_owned(),
            r#"{"nodes":[1,2]}"#.to_owned(),
            r#"{"nodes":[1,2],"pageInfo":null}"#.to_owned(),
            r#"{"nodes":[1,2],"pageInfo":{}}"#.to_owned(),
            r#"{"nodes":[1,2],"pageInfo":{"endCursor":null}}"#.to_owned(),
            format!("{{{last}}}"),
            format!(r#"{{"nodes":null,{last}}}"#),
            format!(r#"{{"nodes":[1,null],{last}}}"#),
            format!(r#"{{"nodes":[1],{}}}"#, next("null")),
            format!(r#"{{"nodes":[1],{}}}"#, next("\"\"")),
        ] {
            assert_eq!(with(&hole), (None, None), "{hole}");
        }
        assert_eq!(read("{}"), (None, None), "no list at all");
    }
}
