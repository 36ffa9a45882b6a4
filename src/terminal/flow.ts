/** Where a terminal's output stands. */
export interface FlowState {
  /** Offset after the last byte. */
  end: number;
  /** Of those bytes: how many lie in memory, and how many on disk. */
  memoryBytes: number;
  spooledBytes: number;
  /** Whether nothing more can be put on disk. */
  isSpillBroken: boolean;
  /** How far each viewer has read. */
  offsets: readonly number[];
}

export interface FlowLimits {
  windowBytes: number;
  memoryBytes: number;
  spoolBytes: number;
}

export interface FlowDecision {
  /** Whether the program has to wait before it writes more. */
  isHeld: boolean;
  /** Whether what lies in memory has to go to disk. */
  spills: boolean;
}

/** The fastest viewer sets the pace; what slower ones have not read is kept for them as if nobody looked. */
export function decideFlow(state: FlowState, limits: FlowLimits): FlowDecision {
  const { end, offsets } = state;
  const [slowest, fastest] = [Math.min(...offsets), Math.max(...offsets)];
  const isUnwatched = offsets.length === 0;
  const isPaced = !isUnwatched && end - fastest > limits.windowBytes;
  const isKeptForLater = isUnwatched || end - slowest > limits.windowBytes;
  const isFull = state.isSpillBroken || state.spooledBytes > limits.spoolBytes;
  // Viewers who are equally far behind all wait for what memory holds: none needs the disk.
  const isOnePace = isPaced && slowest === fastest;
  return {
    isHeld: isPaced || (isFull && isKeptForLater),
    spills: isKeptForLater && !isOnePace && state.memoryBytes > limits.memoryBytes,
  };
}
