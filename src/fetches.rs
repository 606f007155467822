//! Whatever has `fetch`: the global scope, service bindings and Durable Objects alike. Bodies cross
//! from JavaScript as one text: reading a stream chunk by chunk costs several crossings for each.

use js_sys::futures::JsFuture;
use serde_json::{Map, Value};
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::wasm_bindgen::{self, JsCast, JsValue};
use worker::{js_sys, web_sys};

#[wasm_bindgen]
extern "C" {
    /// An object with a method `fetch`.
    pub type Fetches;

    /// Without a `Request` of our own: the platform makes one anyway.
    #[wasm_bindgen(method, catch)]
    fn fetch(
        this: &Fetches,
        url: &str,
        init: &web_sys::RequestInit,
    ) -> Result<js_sys::Promise, JsValue>;
}

impl Fetches {
    /// The global scope.
    pub fn global() -> Self {
        js_sys::global().unchecked_into()
    }

    /// Sends a request; the headers of the answer are there, its body is still to come.
    pub async fn send(
        &self,
        url: &str,
        init: &web_sys::RequestInit,
    ) -> Result<web_sys::Response, JsValue> {
        Ok(JsFuture::from(self.fetch(url, init)?).await?.unchecked_into())
    }

    /// Posts a text and reads the answer whole: its status and text.
    pub async fn post(&self, url: &str, body: &str) -> Result<(u16, String), String> {
        let init = web_sys::RequestInit::new();
        init.set_method("POST");
        init.set_body(&JsValue::from_str(body));
        let posted = async {
            let response = self.send(url, &init).await?;
            Ok((response.status(), text(&response).await?))
        };
        posted.await.map_err(|error: JsValue| message(&error))
    }
}

/// Headers as an object: they cross as one text, and not one by one.
pub fn headers(all: &Map<String, Value>) -> Result<JsValue, JsValue> {
    let text = serde_json::to_string(all).expect("a map of JSON is JSON");
    js_sys::JSON::parse(&text)
}

/// The body of an answer, read whole.
pub async fn text(response: &web_sys::Response) -> Result<String, JsValue> {
    let text = JsFuture::from(response.text()?).await?;
    Ok(text.as_string().unwrap_or_default())
}

/// What a JavaScript error says.
pub fn message(error: &JsValue) -> String {
    let said = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
    said.or_else(|| error.as_string()).unwrap_or_else(|| "no reason was given".to_owned())
}
