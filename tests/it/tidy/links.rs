//! Links between the pages of the repository: the file is there, and so is the heading.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

/// Links of the page at `path` that lead nowhere, with the line.
pub(super) fn check(root: &Path, path: &str, text: &str) -> Vec<(usize, String)> {
    let mut findings = Vec::new();
    for (line, link) in links(text) {
        if link.contains("://") || link.starts_with("mailto:") {
            continue;
        }
        let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
        let target = if file.is_empty() { PathBuf::from(path) } else { beside(path, file) };
        let Ok(metadata) = fs::metadata(root.join(&target)) else {
            findings.push((line, format!("the link to `{link}` leads nowhere")));
            continue;
        };
        if let Some(heading) = heading
            && metadata.is_file()
            && !fs::read_to_string(root.join(&target)).is_ok_and(|page| headings(&page).any(|known| known == heading))
        {
            findings.push((line, format!("`{}` has no heading `#{heading}`", target.display())));
        }
    }
    findings
}

/// What stands in `](…)` outside of code, with its line.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        // Every second piece between backticks is code.
        for piece in line.split('`').step_by(2) {
            let targets = piece.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
            links.extend(targets.map(|(link, _)| (number, link)));
        }
    }
    links
}

/// The lines that are no fenced code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    })
}

/// The names by which headings are linked to.
fn headings(page: &str) -> impl Iterator<Item = String> {
    prose(page).filter(|(_, line)| line.starts_with('#')).map(|(_, line)| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
        kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
    })
}

/// A path as a page at `from` names it.
fn beside(from: &str, link: &str) -> PathBuf {
    let mut path = Path::new(from).parent().unwrap_or(Path::new("")).to_path_buf();
    for component in Path::new(link).components() {
        match component {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_a_file_and_a_heading_or_is_a_finding() {
        let root = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir(root.path().join("docs")).expect("a directory");
        fs::write(root.path().join("docs/there.md"), "# A page: `code`, and so on\n").expect("a page");
        let found = |link: &str| check(root.path(), "docs/page.md", &format!("a [word]({link})")).len();
        assert_eq!(found("there.md"), 0);
        assert_eq!(found("there.md#a-page-code-and-so-on"), 0);
        assert_eq!(found("../docs/there.md"), 0);
        assert_eq!(found("https://example.com/nowhere"), 0);
        assert_eq!(found("gone.md"), 1);
        assert_eq!(found("there.md#another"), 1);
        assert_eq!(
            check(root.path(), "page.md", "[`code`](gone.md) and `[no](link)`\n```\n[no](link)\n```\n").len(),
            1
        );
    }
}
