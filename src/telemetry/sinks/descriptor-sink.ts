import { write } from 'node:fs';
import type { Deliver } from '../line-buffer.ts';

/** Lines to an open descriptor, written off the event loop: a reader that does not read holds up no call. */
export function deliverToDescriptor(fd: number): Deliver {
  return async (lines) => {
    let rest = Buffer.from(lines.join(''));
    while (rest.length > 0) rest = rest.subarray(await writeSome(fd, rest));
    return { again: [], lost: 0 };
  };
}

function writeSome(fd: number, bytes: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, 0, bytes.length, null, (error, written) => {
      if (error === null) resolve(written);
      else if (error.code === 'EAGAIN') setTimeout(resolve, 10, 0);
      else reject(error);
    });
  });
}
