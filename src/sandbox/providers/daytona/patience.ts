/** How long is waited for the service, and how often it is told that somebody is there. */
export interface Patience {
  /** Until an answer has come whole. Default: 60 seconds. */
  answerMs: number;
  /** Before a call is tried again, the first time; each time twice as long. Default: 250 milliseconds. */
  pauseMs: number;
  /** Between two signs of life of a connection. Default: 15 seconds. */
  pingMs: number;
  /** Until a sandbox runs, from the wish for it. Default: 10 minutes. */
  startMs: number;
  /** Between two renewals of a lease: well within the minutes after which the service stops what nobody uses. Default: 60 seconds. */
  renewMs: number;
}

export const PATIENCE: Patience = {
  answerMs: 60_000,
  pauseMs: 250,
  pingMs: 15_000,
  startMs: 10 * 60_000,
  renewMs: 60_000,
};
