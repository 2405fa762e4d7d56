//! `ssh_authorized_keys_local`: public keys from files, one on each line.
//!
//! Lines are taken as they are, comments too; only empty ones are left out.

use super::{Context, items_mut};
use crate::tree::node::{Node, Object};

pub(super) fn translate(root: &mut Object, context: &mut Context<'_>) {
    for (span, user) in items_mut(root, "passwd", "users") {
        let Some(files) = user.take("ssh_authorized_keys_local") else {
            continue;
        };
        for file in files.items() {
            match context.files.read_text(file.as_text().unwrap_or_default()) {
                Ok(text) => {
                    let lines = text.lines().filter(|line| !line.is_empty());
                    user.items_mut("sshAuthorizedKeys", span)
                        .extend(lines.map(|line| Node::text(file.span, line)));
                }
                Err(error) => context.refuse(file.span, &error),
            }
        }
    }
}
