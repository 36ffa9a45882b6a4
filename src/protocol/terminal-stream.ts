/** First byte of each binary message from server to client: which stream the bytes behind it belong to. */
export const STREAM_OUTPUT = 1;
export const STREAM_ERRORS = 2;
/** The screen as it is, in bytes that paint it on an empty terminal. They are not counted by any offset. */
export const STREAM_SCREEN = 3;

/** Unacknowledged bytes after which the server stops sending to one attachment. */
export const ATTACHMENT_WINDOW_BYTES = 1024 * 1024;
/**
 * Input bytes that a client may have sent beyond those it was told were taken (`input-taken`). A server stops reading a
 * client that sends more, and with it the acknowledgements that its output may be waiting for.
 */
export const INPUT_WINDOW_BYTES = 1024 * 1024;
/** Either side acknowledges at least each time it has consumed this many bytes. */
export const ACKNOWLEDGE_EVERY_BYTES = 128 * 1024;
