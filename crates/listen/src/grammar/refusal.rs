//! Why a request is refused: its status, a sentence for the client, a label for metrics.

use http::StatusCode;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The first line is not method, target and version with one space between them.
    RequestLine,
    /// The method is longer than any that exists.
    Method,
    /// CONNECT: no tunnel is made here.
    Connect,
    /// The target is in no form that its method may have, or has a byte that may not be there.
    Target,
    /// The target is longer than is taken.
    LongTarget,
    /// A major version other than 1.
    Version,
    /// CR or LF alone.
    LineEnd,
    /// A line that is no field: no colon, space before it, folded, or a control character.
    Field,
    /// The head has too many bytes or fields.
    LargeHead,
    /// `Host` is missing, repeated, or no host.
    Host,
    /// A field that may stand there once does so twice.
    Repeated,
    /// `Content-Length` is no number, or repeated.
    Length,
    /// `Transfer-Encoding` does not end in `chunked`, has it twice, or comes with HTTP/1.0.
    Coding,
    /// A transfer coding that is not implemented.
    UnknownCoding,
    /// Both `Transfer-Encoding` and `Content-Length`.
    TwoLengths,
    /// An expectation other than `100-continue`.
    Expectation,
    /// The framing of chunked content is broken.
    Chunk,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::RequestLine,
        Self::Method,
        Self::Connect,
        Self::Target,
        Self::LongTarget,
        Self::Version,
        Self::LineEnd,
        Self::Field,
        Self::LargeHead,
        Self::Host,
        Self::Repeated,
        Self::Length,
        Self::Coding,
        Self::UnknownCoding,
        Self::TwoLengths,
        Self::Expectation,
        Self::Chunk,
    ];

    /// The status of the reply.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Method | Self::Connect | Self::UnknownCoding => StatusCode::NOT_IMPLEMENTED,
            Self::LongTarget => StatusCode::URI_TOO_LONG,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::LargeHead => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The label in metrics and in the log.
    pub fn label(self) -> &'static str {
        match self {
            Self::RequestLine => "request-line",
            Self::Method => "method",
            Self::Connect => "connect",
            Self::Target => "target",
            Self::LongTarget => "long-target",
            Self::Version => "version",
            Self::LineEnd => "line-end",
            Self::Field => "field",
            Self::LargeHead => "large-head",
            Self::Host => "host",
            Self::Repeated => "repeated",
            Self::Length => "length",
            Self::Coding => "coding",
            Self::UnknownCoding => "unknown-coding",
            Self::TwoLengths => "two-lengths",
            Self::Expectation => "expectation",
            Self::Chunk => "chunk",
        }
    }

    /// For the client.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::RequestLine => "the request line is malformed",
            Self::Method => "the method is not known",
            Self::Connect => "no tunnel is made here",
            Self::Target => "the request target is malformed",
            Self::LongTarget => "the request target is too long",
            Self::Version => "only HTTP/1.1 and HTTP/1.0 are spoken here",
            Self::LineEnd => "a line of the head does not end with CR and LF",
            Self::Field => "a field of the head is malformed",
            Self::LargeHead => "the head is too large",
            Self::Host => "the request needs one Host field that names a host",
            Self::Repeated => "a field that may stand there once is repeated",
            Self::Length => "Content-Length is malformed or repeated",
            Self::Coding => "Transfer-Encoding must be chunked, once, and in HTTP/1.1",
            Self::UnknownCoding => "no transfer coding but chunked is understood",
            Self::TwoLengths => "Transfer-Encoding and Content-Length exclude each other",
            Self::Expectation => "the only expectation that is understood is 100-continue",
            Self::Chunk => "the chunked content is malformed",
        }
    }
}
