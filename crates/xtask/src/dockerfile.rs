//! What a Dockerfile does, as far as ours goes: an instruction that is not known here is an error, so that the steps that
//! `cargo xtask image` runs are all that there are.

use anyhow::{Context, bail, ensure};

/// The steps that build the tree, and what the image says about its start.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Dockerfile {
    /// The commands of the stage `build`, in order.
    pub(crate) build: Vec<String>,
    /// What the image takes from that stage.
    pub(crate) copies: Vec<CopyInstruction>,
    /// The account, as `chroot` takes it too.
    pub(crate) user: String,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) healthcheck: Vec<String>,
    pub(crate) entrypoint: Vec<String>,
}

/// What copies a directory into the image.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CopyInstruction {
    pub(crate) from: String,
    pub(crate) to: String,
    /// Else everything keeps its owner.
    pub(crate) owner: Option<String>,
}

impl Dockerfile {
    /// Reads a Dockerfile of two stages, of which the second begins with nothing (`FROM scratch`).
    ///
    /// # Errors
    /// It has an instruction that is not known here, or lacks one.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut read = Self::default();
        let mut stage = "";
        for line in instructions(text) {
            let (name, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match (stage, name, rest) {
                ("", "FROM", base) if base.ends_with(" AS build") => stage = "build",
                ("build", "FROM", "scratch") => stage = "image",
                // The workspace is there already, and a port needs nothing.
                ("build", "WORKDIR", "/src") | ("build", "COPY", ". .") | ("image", "EXPOSE", _) => {}
                ("build", "RUN", command) => read.build.push(command.to_owned()),
                ("image", "COPY", arguments) => read.copies.push(CopyInstruction::parse(arguments)?),
                ("image", "USER", user) => user.clone_into(&mut read.user),
                ("image", "ENV", pairs) => {
                    let pairs = pairs.split_whitespace().filter_map(|pair| pair.split_once('='));
                    read.variables.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
                }
                ("image", "HEALTHCHECK", check) => {
                    let (_times, command) = check.split_once("CMD ").context("HEALTHCHECK has no CMD")?;
                    read.healthcheck = words(command)?;
                }
                ("image", "ENTRYPOINT", command) => read.entrypoint = words(command)?,
                _ => bail!("`{line}` is not known to `cargo xtask image` (in the stage `{stage}`)"),
            }
        }
        let complete = [&read.build, &read.healthcheck, &read.entrypoint].iter().all(|part| !part.is_empty());
        ensure!(complete && !read.copies.is_empty() && !read.user.is_empty(), "the Dockerfile lacks an instruction");
        Ok(read)
    }
}

impl CopyInstruction {
    fn parse(arguments: &str) -> anyhow::Result<Self> {
        let mut words: Vec<&str> = arguments.split_whitespace().collect();
        ensure!(words.first() == Some(&"--from=build"), "`COPY {arguments}` does not take from the stage `build`");
        words.remove(0);
        let owner = words.first().and_then(|word| word.strip_prefix("--chown=")).map(str::to_owned);
        if owner.is_some() {
            words.remove(0);
        }
        let [from, to] = words.as_slice() else { bail!("`COPY {arguments}` is not one source and one destination") };
        Ok(Self { from: (*from).to_owned(), to: (*to).to_owned(), owner })
    }
}

/// The instructions, each on one line, without comments.
fn instructions(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (part, goes_on) = line.strip_suffix('\\').map_or((line, false), |part| (part.trim_end(), true));
        if let Some(last) = lines.last_mut() {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(part);
        }
        if !goes_on {
            lines.push(String::new());
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// The words of a command in the form that needs no shell.
fn words(command: &str) -> anyhow::Result<Vec<String>> {
    serde_json::from_str(command)
        .with_context(|| format!("{command} is no list, so it would need a shell in the image"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: &str = "
        # A comment.
        FROM rust AS build
        WORKDIR /src
        RUN one \\
            && two
        COPY . .
        RUN three
        FROM scratch
        COPY --from=build /tree /
        COPY --from=build --chown=1:2 /tree/data /data
        USER 1:2
        ENV A=1 \\
            B=2
        EXPOSE 80
        HEALTHCHECK --interval=5s CMD [\"/p\", \"check\"]
        ENTRYPOINT [\"/p\"]";

    #[test]
    fn the_instructions_of_both_stages_are_read() {
        let read = Dockerfile::parse(IMAGE).unwrap();
        assert_eq!(read.build, ["one && two", "three"]);
        let copied = |from: &str, to: &str, owner: Option<&str>| CopyInstruction {
            from: from.to_owned(),
            to: to.to_owned(),
            owner: owner.map(str::to_owned),
        };
        assert_eq!(read.copies, [copied("/tree", "/", None), copied("/tree/data", "/data", Some("1:2"))]);
        assert_eq!((read.user.as_str(), read.entrypoint.as_slice()), ("1:2", ["/p".to_owned()].as_slice()));
        assert_eq!(read.variables, [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "2".to_owned())]);
        assert_eq!(read.healthcheck, ["/p", "check"]);
    }

    #[test]
    fn instructions_that_would_not_be_run_are_refused() {
        for (from, to) in [
            ("EXPOSE 80", "RUN more"),
            ("WORKDIR /src", "ARG X"),
            ("FROM scratch", "FROM debian"),
            ("COPY --from=build /tree /", "COPY --from=other /tree /"),
            ("[\"/p\", \"check\"]", "/p check"),
            ("USER 1:2", ""),
        ] {
            assert!(Dockerfile::parse(&IMAGE.replace(from, to)).is_err(), "{to}");
        }
    }
}
