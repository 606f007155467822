//! Makes the answer of one call from its input: material, ranking, composition, renderings,
//! artifact. Pure: the time is an argument, and a model's summary comes in as data.

use sha2::{Digest, Sha256};

use crate::assist::Prompt;
use crate::calendar;
use crate::compose::{self, Brief, Composition, Written};
use crate::contract::{
    Artifact, Format, GenerateReply, GenerateRequest, Insights, Report, ReportType,
};
use crate::document::Document;
use crate::material::Material;
use crate::quality::{self, Measured};
use crate::ranking::Ranking;
use crate::{assist, prose, render};

/// A request, read and ranked; what a report and a prompt are made from.
#[derive(Debug)]
pub struct Draft<'a> {
    request: &'a GenerateRequest,
    material: Material,
    ranking: Ranking,
}

const FILE_NAME_CHARS_MAX: usize = 60;

impl<'a> Draft<'a> {
    pub fn of(request: &'a GenerateRequest) -> Self {
        let material = Material::of(&request.articles);
        let ranking = Ranking::of(&request.topic, &material.sources);
        Self { request, material, ranking }
    }

    /// What a model is asked; `None` where there is nothing to sum up.
    pub fn prompt(&self) -> Option<Prompt> {
        let Self { request, material, ranking } = self;
        assist::prompt(&request.topic, request.report_type(), &material.sources, ranking)
    }

    /// Reads a model's answer; the reason where it is of no use.
    pub fn read_answer(&self, answer: &serde_json::Value, model: &str) -> Result<Written, String> {
        assist::read(answer, model, self.request.report_type(), &self.material.sources)
    }

    /// The answer of the call.
    pub fn reply(
        &self,
        now_ms: i64,
        written: Option<&Written>,
        model_error: Option<String>,
    ) -> GenerateReply {
        let report_type = self.request.report_type();
        let insights: Option<&Insights> = self.request.insights.as_ref();
        let Composition { document, summary, findings, cited } = compose::compose(&Brief {
            topic: &self.request.topic,
            report_type,
            material: &self.material,
            ranking: &self.ranking,
            angles: self.request.angles(),
            insights,
            now_ms,
            written,
        });
        let quality_score = quality::score(&Measured {
            report_type,
            cited: cited.iter().map(|place| &self.material.sources[*place]).collect(),
            findings: findings.len(),
            findings_max: compose::findings_max(report_type),
        });
        let (report, artifact) = render(&document, report_type, self.request.format(), now_ms);
        GenerateReply {
            report,
            summary,
            key_findings: findings,
            artifact,
            word_count: document.word_count(),
            sources_cited: cited.len(),
            quality_score,
            model_error,
        }
    }
}

fn render(
    document: &Document,
    report_type: ReportType,
    format: Format,
    now_ms: i64,
) -> (Report, Artifact) {
    let html = (format != Format::Markdown).then(|| render::html(document));
    let markdown = (format != Format::Html).then(|| render::markdown(document));
    let artifact = match (&html, &markdown) {
        (Some(html), _) => artifact(document, now_ms, ("html", "text/html; charset=utf-8"), html),
        (None, Some(markdown)) => {
            artifact(document, now_ms, ("md", "text/markdown; charset=utf-8"), markdown)
        }
        (None, None) => unreachable!("every format asks for one of the two"),
    };
    (Report { title: document.title.clone(), report_type, markdown, html }, artifact)
}

fn artifact(
    document: &Document,
    now_ms: i64,
    (extension, mime_type): (&str, &'static str),
    content: &str,
) -> Artifact {
    let topic = match prose::slug(&document.title, FILE_NAME_CHARS_MAX) {
        slug if slug.is_empty() => "report".to_owned(),
        slug => slug,
    };
    let digest = Sha256::digest(content.as_bytes());
    Artifact {
        file_name: format!("{topic}-{}.{extension}", calendar::iso(now_ms)),
        mime_type,
        size_bytes: content.len(),
        sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}
