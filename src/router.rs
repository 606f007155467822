//! Every route once, grouped by audience: the table of contents. A path has no slash at its end;
//! `serve` takes one off, so that both spellings lead to the same place.

use std::sync::OnceLock;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::admin::{accounts, alerts, audit, costs, keys, performance, stats, workers};
use crate::api::registry::{
    artifacts, content, figures, links, nodes, queries, tags, tools, upkeep,
};
use crate::api::{
    capabilities, completion, events, health, history, insights, invoke, live, metrics,
    orchestrate, pipeline, restart, result, service, signal, templates, tool_terms, verbs, why,
};
use crate::error::{ApiError, DetailList};
use crate::openapi;
use crate::pages;
use crate::rate;
use crate::request::RequestContext;

/// Everybody.
fn public() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(service::root))
        .routes(routes!(service::help))
        .routes(routes!(service::health))
        .routes(routes!(service::healthz))
        .routes(routes!(openapi::openapi_json))
        .routes(routes!(pages::docs))
        .routes(routes!(pages::redoc))
        .routes(routes!(pages::docs_asset))
        .routes(routes!(capabilities::capabilities))
        .routes(routes!(templates::list_templates))
        .routes(routes!(templates::show_template))
        .routes(routes!(pipeline::show_pipeline))
}

/// Client applications.
fn client() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(orchestrate::orchestrate))
        .routes(routes!(orchestrate::plan::plan_template))
        .routes(routes!(history::pipeline_history))
        .routes(routes!(health::pipeline_health))
        .routes(routes!(metrics::metrics))
        .routes(routes!(insights::performance_insights))
        .routes(routes!(verbs::cancel))
        .routes(routes!(verbs::kill))
        .routes(routes!(verbs::pause))
        .routes(routes!(verbs::resume))
        .routes(routes!(verbs::retry))
        .routes(routes!(verbs::rerun))
        .routes(routes!(restart::restart))
        .routes(routes!(signal::signal))
        .routes(routes!(why::why))
        .routes(routes!(events::events))
        .routes(routes!(live::ws))
        .routes(routes!(live::create_ticket))
        .routes(routes!(result::pipeline_result))
}

/// Workers.
fn worker() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(completion::complete))
}

/// Operators and administrators.
fn admin() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(workers::list_workers))
        .routes(routes!(workers::create_worker))
        .routes(routes!(workers::show_worker))
        .routes(routes!(workers::replace_worker))
        .routes(routes!(workers::change_worker))
        .routes(routes!(workers::retire_worker))
        .routes(routes!(workers::check_worker))
        .routes(routes!(accounts::list_accounts))
        .routes(routes!(accounts::create_account))
        .routes(routes!(accounts::show_account))
        .routes(routes!(accounts::change_account))
        .routes(routes!(keys::list_api_keys))
        .routes(routes!(keys::issue_api_key))
        .routes(routes!(keys::show_api_key))
        .routes(routes!(keys::change_api_key))
        .routes(routes!(keys::revoke_api_key))
        .routes(routes!(keys::rotate_api_key))
        .routes(routes!(stats::admin_stats))
        .routes(routes!(performance::admin_performance))
        .routes(routes!(costs::admin_costs))
        .routes(routes!(alerts::list_alerts))
        .routes(routes!(alerts::show_alert))
        .routes(routes!(alerts::acknowledge_alert))
        .routes(routes!(alerts::resolve_alert))
        .routes(routes!(audit::list_audit_log))
        .routes(routes!(audit::show_audit_entry))
        .merge(users())
        .merge(templates_by_operators())
}

fn users() -> OpenApiRouter {
    use crate::api::admin::users;
    OpenApiRouter::new()
        .routes(routes!(users::list_users))
        .routes(routes!(users::create_user))
        .routes(routes!(users::show_user))
        .routes(routes!(users::change_user))
        .routes(routes!(users::delete_user))
        .routes(routes!(users::reset_password))
        .routes(routes!(users::unlock_user))
}

fn templates_by_operators() -> OpenApiRouter {
    use crate::api::admin::templates::{change, read, revisions};
    OpenApiRouter::new()
        .routes(routes!(read::list_admin_templates))
        .routes(routes!(change::create_template))
        .routes(routes!(read::show_admin_template))
        .routes(routes!(change::replace_template))
        .routes(routes!(change::patch_template))
        .routes(routes!(change::remove_template))
        .routes(routes!(read::validate_template))
        .routes(routes!(revisions::list_revisions))
        .routes(routes!(revisions::show_revision))
        .routes(routes!(revisions::diff_revisions))
        .routes(routes!(change::roll_back_template))
        .routes(routes!(change::clone_template))
        .routes(routes!(change::activate_template))
        .routes(routes!(change::deactivate_template))
        .routes(routes!(change::default_template))
}

/// People, and whoever wants to be known as one.
fn people() -> OpenApiRouter {
    use crate::api::people::{bootstrap, sign_in, user};
    OpenApiRouter::new()
        .routes(routes!(sign_in::login))
        .routes(routes!(sign_in::refresh))
        .routes(routes!(sign_in::logout))
        .routes(routes!(user::show_signed_in_user))
        .routes(routes!(user::change_password))
        .routes(routes!(bootstrap::bootstrap))
}

/// The store of agents.
fn agents() -> OpenApiRouter {
    use crate::api::agents::{
        agent, chat, logs, orchestrator, prompts, summary, system_logs, tail,
    };
    OpenApiRouter::new()
        .routes(routes!(orchestrator::show_orchestrator))
        .routes(routes!(orchestrator::begin_orchestrator))
        .routes(routes!(orchestrator::update_orchestrator))
        .routes(routes!(orchestrator::list_orchestrators))
        .routes(routes!(summary::orchestrator_summary))
        .routes(routes!(agent::list_agents))
        .routes(routes!(agent::create_agent))
        .routes(routes!(agent::show_agent))
        .routes(routes!(agent::update_agent))
        .routes(routes!(agent::delete_agent))
        .routes(routes!(agent::report_usage))
        .routes(routes!(summary::agent_summary))
        .routes(routes!(prompts::list_prompts))
        .routes(routes!(prompts::record_prompt))
        .routes(routes!(prompts::show_prompt))
        .routes(routes!(prompts::summarise_prompt))
        .routes(routes!(logs::list_agent_logs))
        .routes(routes!(logs::append_agent_log))
        .routes(routes!(logs::append_agent_logs))
        .routes(routes!(tail::tail_agent_logs))
        .routes(routes!(logs::show_agent_log))
        .routes(routes!(logs::summarise_agent_log))
        .routes(routes!(system_logs::list_system_logs))
        .routes(routes!(system_logs::append_system_log))
        .routes(routes!(system_logs::append_system_logs))
        .routes(routes!(system_logs::show_system_log))
        .routes(routes!(system_logs::summarise_system_log))
        .routes(routes!(chat::list_chat))
        .routes(routes!(chat::record_message))
        .routes(routes!(chat::show_message))
        .routes(routes!(chat::summarise_message))
}

/// Work for people, and approvals.
fn tasks() -> OpenApiRouter {
    use crate::api::tasks::{act, change, list, make};
    OpenApiRouter::new()
        .routes(routes!(list::list_tasks))
        .routes(routes!(make::create_task))
        .routes(routes!(list::show_task))
        .routes(routes!(change::change_task))
        .routes(routes!(change::delete_task))
        .routes(routes!(act::claim_task))
        .routes(routes!(act::release_task))
        .routes(routes!(act::complete_task))
}

/// Jobs.
fn jobs() -> OpenApiRouter {
    use crate::api::jobs;
    OpenApiRouter::new()
        .routes(routes!(jobs::list_jobs))
        .routes(routes!(jobs::create_job))
        .routes(routes!(jobs::show_job))
        .routes(routes!(jobs::update_job))
        .routes(routes!(jobs::delete_job))
        .routes(routes!(jobs::set_job_status))
}

/// Utilities.
fn utils() -> OpenApiRouter {
    use crate::api::utils;
    OpenApiRouter::new()
        .routes(routes!(utils::health_check))
        .routes(routes!(utils::info))
        .routes(routes!(utils::validate))
        .routes(routes!(utils::echo))
}

/// The stream of events.
fn stream() -> OpenApiRouter {
    use crate::api::event_stream::{self, tail};
    OpenApiRouter::new()
        .routes(routes!(event_stream::list_events))
        .routes(routes!(event_stream::append_event))
        .routes(routes!(tail::tail_events))
        .routes(routes!(event_stream::show_event))
}

/// The tool registry, whose clients know its form of a 422 from FastAPI services.
fn registry() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(nodes::create_node))
        .routes(routes!(nodes::list_nodes))
        .routes(routes!(nodes::list_nodes_of_type))
        .routes(routes!(nodes::list_active_nodes))
        .routes(routes!(nodes::show_node))
        .routes(routes!(nodes::update_node))
        .routes(routes!(nodes::delete_node))
        .routes(routes!(tools::create_tool))
        .routes(routes!(tools::list_tools))
        .routes(routes!(tools::list_active_tools))
        .routes(routes!(tools::list_tools_of_category))
        .routes(routes!(tools::show_tool))
        .routes(routes!(tools::show_tool_by_name))
        .routes(routes!(tools::update_tool))
        .routes(routes!(tools::delete_tool))
        .routes(routes!(tags::add_tag))
        .routes(routes!(tags::remove_tag))
        .routes(routes!(tags::list_tools_by_tag))
        .routes(routes!(artifacts::create_artifact))
        .routes(routes!(artifacts::list_artifacts))
        .routes(routes!(artifacts::list_artifacts_of_tool))
        .routes(routes!(artifacts::list_large_artifacts))
        .routes(routes!(artifacts::show_artifact))
        .routes(routes!(artifacts::delete_artifact))
        .routes(routes!(content::store_content))
        .routes(routes!(content::show_content))
        .routes(routes!(links::create_link))
        .routes(routes!(queries::active_tools_with_nodes))
        .routes(routes!(queries::tools_by_category_with_tags))
        .routes(routes!(queries::node_health_status))
        .routes(routes!(queries::large_artifacts_by_tool))
        .routes(routes!(queries::search_tools_by_schema))
        .routes(routes!(upkeep::cleanup_orphaned_artifacts))
        .routes(routes!(upkeep::update_tool_status))
        .routes(routes!(upkeep::tools_without_nodes))
        .routes(routes!(figures::storage_usage_by_category))
        .routes(routes!(figures::tool_usage_statistics))
        .routes(routes!(figures::data_integrity))
        .routes(routes!(figures::registry_summary))
        .routes(routes!(invoke::invoke_tool))
        .routes(routes!(tool_terms::show_tool_terms))
        .routes(routes!(tool_terms::set_tool_terms))
        .layer(from_fn(list_details))
}

/// The router, built once per isolate.
pub fn router() -> &'static Router {
    static ROUTER: OnceLock<Router> = OnceLock::new();
    ROUTER.get_or_init(|| {
        let (router, _) = all().split_for_parts();
        router
            .fallback(async || ApiError::RouteUnknown)
            .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
            .layer(from_fn(rate::limit))
            .layer(from_fn(note_route))
    })
}

/// The OpenAPI document of these routes.
pub fn document() -> OpenApi {
    openapi::finished(all().into_openapi())
}

fn all() -> OpenApiRouter {
    let audiences = [
        public(),
        client(),
        people(),
        jobs(),
        tasks(),
        stream(),
        utils(),
        worker(),
        admin(),
        agents(),
        registry(),
    ];
    audiences.into_iter().fold(OpenApiRouter::with_openapi(openapi::base()), OpenApiRouter::merge)
}

/// The log names the endpoint, not the ids in its path.
async fn note_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let context = request.extensions().get::<RequestContext>();
    if let (Some(route), Some(context)) = (route, context) {
        context.note(|notes| notes.route = Some(route.as_str().to_owned()));
    }
    next.run(request).await
}

async fn list_details(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.extensions_mut().insert(DetailList);
    response
}

#[cfg(test)]
mod tests;
