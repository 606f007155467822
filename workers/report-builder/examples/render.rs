//! Renders the report of a request that lies in a file: `render <request.json> <folder>`. For
//! looking at reports in a browser.

use std::error::Error;
use std::path::Path;

use report_builder::contract::GenerateRequest;
use report_builder::report::Draft;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, input, folder] = arguments.as_slice() else {
        return Err("give a request and a folder".into());
    };
    let request: GenerateRequest = serde_json::from_str(&std::fs::read_to_string(input)?)?;
    let dates = request.articles.iter().filter_map(|article| article.published_at.as_deref());
    let newest_ms = dates.filter_map(report_builder::calendar::parse).max().unwrap_or_default();
    let reply = Draft::of(&request).reply(newest_ms, None, None);
    let folder = Path::new(folder);
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("report.html"), reply.report.html.as_deref().unwrap_or_default())?;
    std::fs::write(folder.join("report.md"), reply.report.markdown.as_deref().unwrap_or_default())?;
    println!("{}", reply.summary);
    println!(
        "{} words, {} sources, quality {}",
        reply.word_count, reply.sources_cited, reply.quality_score
    );
    Ok(())
}
