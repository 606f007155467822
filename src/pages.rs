//! The pages that show the OpenAPI document to people: Swagger UI and Redoc. Scripts and styles are
//! packaged with the Worker (`scripts/build.sh` copies them from pinned npm packages) and come from
//! the same origin as the document, so the pages work without any other host. It must not make the
//! document.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;
use crate::openapi::{NotFoundErrors, PUBLIC, ServerErrors};
use crate::request::RequestContext;

/// Scripts, styles and requests of the same origin and nothing else. The pages' libraries write
/// style elements and data URLs of images; Redoc's search runs in a worker that it makes itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src blob:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Packaged files change with a deployment, which browsers may notice this much later.
const ASSET_CACHE_CONTROL: &str = "public, max-age=3600";

const SWAGGER_PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bitware Orchestrator: the API to try</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript; <a href="/openapi.json">the document</a> does not.</noscript>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/assets/swagger.js"></script>
</body>
</html>
"#;

const REDOC_PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bitware Orchestrator: the API to read</title>
<link rel="icon" href="data:,">
</head>
<body style="margin: 0">
<div id="redoc"></div>
<noscript>This page needs JavaScript; <a href="/openapi.json">the document</a> does not.</noscript>
<script src="/docs/assets/redoc.standalone.js"></script>
<script src="/docs/assets/redoc.js"></script>
</body>
</html>
"#;

/// A file of the pages: its name, its type, and its text where it is part of this module.
struct Asset {
    name: &'static str,
    media_type: &'static str,
    text: Option<&'static str>,
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const ASSETS: [Asset; 5] = [
    Asset { name: "swagger-ui.css", media_type: "text/css; charset=utf-8", text: None },
    Asset { name: "swagger-ui-bundle.js", media_type: JAVASCRIPT, text: None },
    Asset { name: "redoc.standalone.js", media_type: JAVASCRIPT, text: None },
    Asset {
        name: "swagger.js",
        media_type: JAVASCRIPT,
        text: Some(include_str!("pages/swagger.js")),
    },
    Asset { name: "redoc.js", media_type: JAVASCRIPT, text: Some(include_str!("pages/redoc.js")) },
];

/// The API to try out: Swagger UI.
#[utoipa::path(
    get, path = "/docs", tag = PUBLIC,
    responses((status = 200, description = "A page", body = String, content_type = "text/html")),
)]
pub async fn docs() -> Response {
    page(SWAGGER_PAGE)
}

/// The API to read: Redoc.
#[utoipa::path(
    get, path = "/redoc", tag = PUBLIC,
    responses((status = 200, description = "A page", body = String, content_type = "text/html")),
)]
pub async fn redoc() -> Response {
    page(REDOC_PAGE)
}

/// A script or style of these pages.
#[utoipa::path(
    get, path = "/docs/assets/{file}", tag = PUBLIC,
    params(("file" = String, Path, description = "The file's name", example = "swagger.js")),
    responses(
        (status = 200, description = "The file", content(
            (String = "text/javascript"), (String = "text/css"),
        )),
        NotFoundErrors, ServerErrors,
    ),
)]
#[worker::send]
pub async fn docs_asset(
    context: RequestContext,
    Path(file): Path<String>,
) -> Result<Response, ApiError> {
    let asset = ASSETS.iter().find(|asset| asset.name == file);
    let asset = asset.ok_or(ApiError::ResourceNotFound { kind: "file", name: file })?;
    let body = match asset.text {
        Some(text) => Body::from(text),
        None => packaged(&context, asset.name).await?,
    };
    Ok(with_headers(body, asset.media_type, header::CACHE_CONTROL, ASSET_CACHE_CONTROL))
}

/// A file that was packaged with the Worker.
async fn packaged(context: &RequestContext, name: &str) -> Result<Body, ApiError> {
    let lacking = |cause: String| ApiError::Internal { cause: format!("the file {name}: {cause}") };
    let assets = context.bindings().assets()?;
    let found = assets.fetch(format!("https://assets/{name}"), None).await;
    let found = found.map_err(|error| lacking(error.to_string()))?;
    let (parts, body) = found.into_parts();
    if !parts.status.is_success() {
        return Err(lacking(format!("status {}", parts.status)));
    }
    Ok(Body::new(body))
}

fn page(text: &'static str) -> Response {
    let html = "text/html; charset=utf-8";
    with_headers(Body::from(text), html, header::CONTENT_SECURITY_POLICY, POLICY)
}

fn with_headers(
    body: Body,
    media_type: &'static str,
    name: HeaderName,
    value: &'static str,
) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(name, HeaderValue::from_static(value));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_ask_for_packaged_files_and_nothing_else() {
        for page in [SWAGGER_PAGE, REDOC_PAGE] {
            assert!(!page.contains("http:") && !page.contains("https:"), "{page}");
            assert!(!page.contains("<style") && !page.contains("<script>"), "{page}");
            for (_, rest) in page.match_indices("/docs/assets/").map(|(at, _)| page.split_at(at)) {
                let name = rest["/docs/assets/".len()..].split('"').next().unwrap();
                assert!(ASSETS.iter().any(|asset| asset.name == name), "{name}");
            }
        }
        for source in ["script-src", "connect-src", "font-src"] {
            assert!(POLICY.contains(&format!("{source} 'self';")), "{source}");
        }
    }
}
