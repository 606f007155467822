//! The worker in `docs/worker-patterns.md` is the example that the compiler sees.

#[test]
fn the_page_shows_the_example_as_it_is() {
    let page = include_str!("../../../docs/worker-patterns.md");
    let example = include_str!("../examples/word_count.rs");
    assert!(page.contains(&format!("```rust\n{example}```\n")), "copy the example into the page");
}
