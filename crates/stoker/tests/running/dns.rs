//! A name server with texts that a test publishes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use stoker_testkit::{Answer, NameServer, Question};

/// Texts by the name of their record.
pub(crate) type Texts = Arc<Mutex<HashMap<String, String>>>;

/// A name server that knows these texts.
pub(crate) fn name_server(texts: &Texts) -> NameServer {
    let texts = Arc::clone(texts);
    NameServer::start(move |question: &Question| {
        let answer = Answer::to(question);
        let answer = match texts.lock().unwrap().get(&question.name) {
            Some(text) => answer.txt(&[text]),
            None => answer.code(3),
        };
        vec![answer.bytes()]
    })
}
