//! The description of the HTTP API. Routes and description come from the same list, so neither can miss what the other has.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::state::App;
use super::{about, api, page, phones, sounds, whip, ws};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Kaname",
        description = "Control of a media node: rooms, peers, tracks and telephones; WHIP (RFC 9725) and WHEP; the page's WebSocket. Tokens are JWTs scoped to a \
                       room, sent as `Authorization: Bearer`. Every error has the body `{\"error\":{\"code\":…,\"message\":…}}`.",
        license(name = "MIT OR Apache-2.0")
    ),
    modifiers(&TokenScheme)
)]
struct Description;

struct TokenScheme;

impl Modify for TokenScheme {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        description
            .components
            .get_or_insert_default()
            .add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// Every route but the page's files, each with its description.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(page::index))
        .routes(routes!(ws::upgrade))
        .routes(routes!(about::info))
        .routes(routes!(api::list_rooms, api::create_room))
        .routes(routes!(api::get_room, api::delete_room))
        .routes(routes!(api::list_peers))
        .routes(routes!(api::kick))
        .routes(routes!(api::peer_stats))
        .routes(routes!(api::mute))
        .routes(routes!(sounds::play_to_room, sounds::stop_playing_to_room))
        .routes(routes!(sounds::record_room, sounds::stop_recording_room))
        .routes(routes!(phones::list, phones::create))
        .routes(routes!(phones::hang_up))
        .routes(routes!(phones::reoffer))
        .routes(routes!(phones::answer))
        .routes(routes!(sounds::play_to_phone, sounds::stop_playing_to_phone))
        .routes(routes!(sounds::record_phone, sounds::stop_recording_phone))
        .routes(routes!(whip::whip, whip::whip_options))
        .routes(routes!(whip::whip_patch, whip::whip_delete))
        .routes(routes!(whip::whep, whip::whep_options))
        .routes(routes!(whip::whep_patch, whip::whep_delete))
        .routes(routes!(about::dev_token))
        .routes(routes!(about::openapi_json))
        .routes(routes!(about::metrics))
        .routes(routes!(about::healthz))
}

/// The description as JSON.
pub(super) fn text() -> String {
    let (_, description) = routes().split_for_parts();
    // Serialising types of our own into memory cannot fail; an empty object would show in the test.
    description.to_pretty_json().unwrap_or_else(|_| "{}".into())
}
