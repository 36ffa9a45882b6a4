/** Until its first reader comes, and between two of them. */
const FIRST_READER_MS = 30_000;
const NEXT_READER_MS = 2_000;

export interface ReaderLease {
  /** Tells how many read now. */
  update(readers: number): void;
  /** Idempotent. */
  close(): void;
}

export interface ReaderLeaseOptions {
  onExpired(): void;
  firstReaderMs?: number;
  nextReaderMs?: number;
}

/** Expires when nobody reads any more; a reader whose connection broke has a moment to come back. */
export function openReaderLease(options: ReaderLeaseOptions): ReaderLease {
  const { onExpired, firstReaderMs = FIRST_READER_MS, nextReaderMs = NEXT_READER_MS } = options;
  let timer: NodeJS.Timeout | undefined = setTimeout(onExpired, firstReaderMs);
  let isClosed = false;
  return {
    update(readers) {
      clearTimeout(timer);
      if (readers === 0 && !isClosed) timer = setTimeout(onExpired, nextReaderMs);
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
