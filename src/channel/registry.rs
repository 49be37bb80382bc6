//! The channels of the process, by name and by number.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use super::{Channel, ChannelOptions};

static CHANNELS: LazyLock<Mutex<Channels>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Channels {
    by_name: HashMap<String, u32>,
    all: Vec<Arc<Channel>>,
}

/// There is a channel of that name, with other options.
#[derive(Debug, thiserror::Error)]
#[error("there is a channel {0:?} with other options")]
pub struct OtherOptions(String);

fn channels() -> MutexGuard<'static, Channels> {
    // No code that can panic runs under this lock.
    CHANNELS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Channel {
    /// The channel of that name, made where there is none yet. It lasts as long as the process. Without
    /// `options` it is as it was made, or has the default ones.
    ///
    /// # Errors
    /// [`OtherOptions`] where it was made with others.
    pub fn open(name: &str, options: Option<ChannelOptions>) -> Result<Arc<Self>, OtherOptions> {
        let mut channels = channels();
        if let Some(number) = channels.by_name.get(name) {
            let channel = Arc::clone(&channels.all[*number as usize]);
            return match options {
                Some(options) if options != channel.options => Err(OtherOptions(name.to_owned())),
                _ => Ok(channel),
            };
        }
        let number = channels.all.len() as u32;
        let channel = Arc::new(Self::new(number, options.unwrap_or_default()));
        channels.all.push(Arc::clone(&channel));
        channels.by_name.insert(name.to_owned(), number);
        Ok(channel)
    }

    /// The channel of that number, where there is one.
    pub(crate) fn by_number(number: u32) -> Option<Arc<Self>> {
        channels().all.get(number as usize).map(Arc::clone)
    }
}
