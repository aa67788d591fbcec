//! Every `like` on an argument, read off Cedar's own JSON form of the policy.

use super::observed::path;
use serde_json::Value;

/// `context.args.path like "/work/*"`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LikeArgument {
    /// As the condition names it: `context.args.path`.
    pub argument: String,
    pub pattern: String,
}

pub(super) fn of(body: &Value) -> Vec<LikeArgument> {
    let mut found = Vec::new();
    collect(body, &mut found);
    found
}

fn collect(node: &Value, found: &mut Vec<LikeArgument>) {
    match node {
        Value::Object(members) => {
            found.extend(members.get("like").and_then(like));
            members.values().for_each(|member| collect(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

fn like(comparison: &Value) -> Option<LikeArgument> {
    let path = path(&comparison["left"])?;
    let ["args", ..] = path[..] else { return None };
    let piece = |piece: &Value| match piece["Literal"].as_str() {
        Some(text) => text.to_owned(),
        None => "*".to_owned(),
    };
    let pattern = comparison["pattern"].as_array()?.iter().map(piece).collect();
    Some(LikeArgument { argument: format!("context.{}", path.join(".")), pattern })
}

#[cfg(test)]
mod tests {
    use crate::condition::Condition;
    use crate::document::Effect;

    #[test]
    fn likes_on_arguments_are_found_wherever_they_stand() {
        let text = r#"context.args has a && (!(context.args.a.b like "/x/*") || context.tool like "t*")"#;
        let likes = Condition::parse(text, Effect::Allow).unwrap().likes();
        let likes: Vec<_> =
            likes.iter().map(|like| (like.argument.as_str(), like.pattern.as_str())).collect();
        assert_eq!(likes, [("context.args.a.b", "/x/*")]);
    }
}
