/** What is kept of an output without limit: its beginning and its end. */
export interface OutputWindow {
  push(bytes: Uint8Array): void;
  /** Everything, or beginning and end with a line between that says how much is missing. */
  read(): Buffer;
}

/** Keeps at most `bytesMax` from the beginning and as much from the end. */
export function createOutputWindow(bytesMax: number): OutputWindow {
  const head: Uint8Array[] = [];
  const tail: Uint8Array[] = [];
  let headBytes = 0;
  let tailBytes = 0;
  let droppedBytes = 0;
  const dropOld = (): void => {
    while (tailBytes > bytesMax) {
      const [first] = tail;
      if (first === undefined) return;
      const excess = Math.min(first.length, tailBytes - bytesMax);
      if (excess === first.length) tail.shift();
      else tail[0] = first.subarray(excess);
      tailBytes -= excess;
      droppedBytes += excess;
    }
  };
  return {
    push(bytes) {
      const room = bytesMax - headBytes;
      const first = bytes.subarray(0, room);
      const rest = bytes.subarray(first.length);
      if (first.length > 0) head.push(first);
      headBytes += first.length;
      if (rest.length > 0) tail.push(rest);
      tailBytes += rest.length;
      dropOld();
    },
    read() {
      const gap = droppedBytes === 0 ? "" : `\n[${droppedBytes} bytes are left out here]\n`;
      return Buffer.concat([...head, Buffer.from(gap), ...tail]);
    },
  };
}
