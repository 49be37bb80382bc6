//! The channels of the process, by name and by number.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use super::{Channel, ChannelOptions, redis};

static CHANNELS: LazyLock<Mutex<Channels>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Channels {
    by_name: HashMap<String, u32>,
    all: Vec<Arc<Channel>>,
}

/// Why there is no channel.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is a channel of that name, with other options.
    #[error("there is a channel {0:?} with other options")]
    OtherOptions(String),
    /// Its backplane is none.
    #[error("redis({{ url }}): {0}")]
    Redis(String),
}

fn channels() -> MutexGuard<'static, Channels> {
    // No code that can panic runs under this lock.
    CHANNELS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Channel {
    /// The channel of that name, made where there is none yet. It lasts as long as the process. Without
    /// `options` it is as it was made, or has the default ones.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(name: &str, options: Option<ChannelOptions>) -> Result<Arc<Self>, OpenError> {
        let mut channels = channels();
        if let Some(number) = channels.by_name.get(name) {
            let channel = Arc::clone(&channels.all[*number as usize]);
            return match options {
                Some(options) if options != channel.options => {
                    Err(OpenError::OtherOptions(name.to_owned()))
                }
                _ => Ok(channel),
            };
        }
        let number = channels.all.len() as u32;
        let channel = Arc::new(Self::new(number, options.unwrap_or_default()));
        if let Some(options) = &channel.options.redis {
            let to_redis = redis::start(&channel, name, options)?;
            // Nobody else has it yet.
            let _ = channel.to_redis.set(to_redis);
        }
        channels.all.push(Arc::clone(&channel));
        channels.by_name.insert(name.to_owned(), number);
        Ok(channel)
    }

    /// The channel of that number, where there is one.
    pub(crate) fn by_number(number: u32) -> Option<Arc<Self>> {
        channels().all.get(number as usize).map(Arc::clone)
    }
}
