/** Where a command writes. Standard output carries results, standard error everything about their making. */
export interface Terminal {
  print(line: string): void;
  warn(line: string): void;
  /** Draws a progress bar on one line; `done` equal to `total` ends it. Silent where nobody watches. */
  progress(label: string, done: number, total: number): void;
}

const WIDTH = 28;

export function createTerminal(): Terminal {
  const watched = process.stderr.isTTY;
  return {
    print: (line) => void process.stdout.write(`${line}\n`),
    warn: (line) => void process.stderr.write(`${line}\n`),
    progress: (label, done, total) => {
      if (!watched) {
        if (done === total) process.stderr.write(`${label}: ${done} of ${total}\n`);
        return;
      }
      const filled = total === 0 ? WIDTH : Math.round((done / total) * WIDTH);
      const bar = '█'.repeat(filled) + '░'.repeat(WIDTH - filled);
      process.stderr.write(`\r${label} ${bar} ${done}/${total}${done === total ? '\n' : ''}`);
    },
  };
}
