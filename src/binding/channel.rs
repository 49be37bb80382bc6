//! A channel as JavaScript publishes to it.

use std::{sync::Arc, time::Duration};

use napi::{
    Env,
    bindgen_prelude::{Object, Result},
};
use napi_derive::napi;

use super::coded;
use crate::{Channel, ChannelOptions, OpenError, RedisOptions, Slow};

#[napi(object)]
pub struct BindingChannelOptions {
    pub history_events: Option<f64>,
    /// In bytes.
    pub history_bytes: Option<f64>,
    /// In bytes.
    pub queue: Option<f64>,
    /// Whether only the newest event waits for a slow subscriber.
    pub latest: Option<bool>,
    /// In milliseconds; 0 for none.
    pub heartbeat: Option<f64>,
    /// In milliseconds.
    pub retry: Option<f64>,
    /// The address of the Redis that its events are in.
    pub redis_url: Option<String>,
    /// How many events may wait for Redis.
    pub redis_queue: Option<f64>,
}

/// What became of an event for several processes: one of both.
#[napi(object)]
pub struct BindingPublished {
    pub id: Option<String>,
    pub error: Option<String>,
}

/// A channel of the process.
#[napi]
pub struct BindingChannel(Arc<Channel>);

/// Throws `WAPIX_INVALID_OPTION` where `url` is no address of a Redis.
#[napi]
pub fn check_redis_url(url: String) -> Result<(), String> {
    RedisOptions::check_url(&url).map_err(|error| coded("WAPIX_INVALID_OPTION", error))
}

/// The channel of that name, made where there is none. Throws `WAPIX_CHANNEL_CONFLICT` where it was made
/// with other options.
#[napi]
pub fn open_channel(
    name: String,
    options: Option<BindingChannelOptions>,
) -> Result<BindingChannel, String> {
    let options = options.map(|options| options_of(&options));
    let channel = Channel::open(&name, options);
    let channel = channel.map_err(|error| match error {
        OpenError::OtherOptions(_) => coded("WAPIX_CHANNEL_CONFLICT", error),
        OpenError::Redis(_) => coded("WAPIX_INVALID_OPTION", error),
    })?;
    Ok(BindingChannel(channel))
}

#[napi]
impl BindingChannel {
    /// What a subscription is asked for with.
    #[napi(getter)]
    pub fn number(&self) -> u32 {
        self.0.number()
    }

    /// Whether it has a backplane.
    #[napi(getter)]
    pub fn is_shared(&self) -> bool {
        self.0.is_shared()
    }

    /// How many subscribers it has, of all servers.
    #[napi]
    pub fn size(&self) -> u32 {
        self.0.size() as u32
    }

    /// Publishes an event: its lines, all but the one of `id`. Returns its id.
    #[napi]
    pub fn publish(&self, fields: String, topic: Option<String>) -> String {
        self.0.publish(&fields, topic.as_deref())
    }

    /// The same where the channel has a backplane; resolves when that has the event, or has not.
    #[napi(ts_return_type = "Promise<BindingPublished>")]
    pub fn publish_shared<'env>(
        &self,
        env: &'env Env,
        fields: String,
        topic: Option<String>,
    ) -> napi::Result<Object<'env>> {
        let (deferred, promise) = env.create_deferred()?;
        let done = move |published: std::result::Result<String, String>| {
            let (id, error) = match published {
                Ok(id) => (Some(id), None),
                Err(error) => (None, Some(error)),
            };
            deferred.resolve(move |_| Ok(BindingPublished { id, error }));
        };
        self.0.publish_shared(fields, topic, Box::new(done));
        Ok(promise)
    }
}

/// Numbers are those that `lib/options.ts` lets pass. Saturating: `Infinity` is the largest there is.
fn options_of(options: &BindingChannelOptions) -> ChannelOptions {
    let default = ChannelOptions::default();
    let limit = |option: Option<f64>, default| option.map_or(default, |limit| limit as usize);
    let milliseconds = |option: f64| Duration::from_millis(option as u64);
    ChannelOptions {
        history_events: limit(options.history_events, default.history_events),
        history_bytes: limit(options.history_bytes, default.history_bytes),
        queue: limit(options.queue, default.queue),
        slow: match options.latest {
            Some(true) => Slow::Latest,
            _ => default.slow,
        },
        heartbeat: match options.heartbeat {
            None => default.heartbeat,
            Some(0.0) => None,
            Some(period) => Some(milliseconds(period)),
        },
        retry: options.retry.map_or(default.retry, milliseconds),
        redis: options.redis_url.as_ref().map(|url| RedisOptions {
            url: url.clone(),
            queue: limit(options.redis_queue, 0),
        }),
    }
}
