//! `amop errors`, and failures in Chinese.

use amop_wire::Code;

use crate::support::{Site, amop, objects, run, text};

#[tokio::test]
async fn every_code_is_listed_and_each_has_a_page_in_both_languages() {
    let dir = tempfile::tempdir().unwrap();
    let listed = text(&run(&mut amop(dir.path(), &["errors"])).await.stdout);
    assert_eq!(listed.lines().count(), Code::ALL.len());
    for code in Code::ALL {
        let number = code.to_string();
        let page = text(&run(&mut amop(dir.path(), &["errors", &number])).await.stdout);
        assert!(page.starts_with(&format!("{number} ")) && page.contains("\nnext\n"), "{page}");
        let page = run(&mut amop(dir.path(), &["errors", &number, "--lang", "zh"])).await;
        assert!(text(&page.stdout).contains("\n下一步\n"), "{page:?}");
    }
    let page = text(&run(&mut amop(dir.path(), &["errors", "no-path"])).await.stdout);
    assert!(page.contains("amop topology"), "{page}");
    for kind in ["bad-password", "unreadable"] {
        let page = text(&run(&mut amop(dir.path(), &["errors", kind])).await.stdout);
        assert!(page.starts_with(kind) && page.contains("\nnext\n"), "{page}");
    }
    let unknown = run(&mut amop(dir.path(), &["errors", "subscriber-b"])).await;
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("did you mean `subscriber-busy`?"), "{unknown:?}");
    let json = text(&run(&mut amop(dir.path(), &["--json", "errors"])).await.stdout);
    assert_eq!(objects(&json)[4]["may_have_been_handled"], true);
}

#[tokio::test]
async fn a_failure_is_explained_in_chinese_to_who_asks_for_it() {
    let site = Site::start().await;
    let failed = run(&mut site.amop(&["request", "nobody", "x", "--lang", "zh"])).await;
    assert_eq!(failed.status.code(), Some(100), "{failed:?}");
    let said = text(&failed.stderr);
    assert!(said.contains("error[no-subscriber] 100: ") && said.contains("没有订阅者"), "{said}");
    let failed = run(site.amop(&["request", "nobody", "x"]).env("AMOP_LANG", "en")).await;
    assert!(
        text(&failed.stderr).is_ascii() || !text(&failed.stderr).contains("订阅"),
        "{failed:?}"
    );
}
