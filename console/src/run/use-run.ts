import { useCallback, useEffect, useRef, useState } from 'react';
import type { Language } from '../words/words.ts';
import { ask, type Ask } from './ask.ts';
import type { Run } from './run.ts';

export interface RunControl {
  run: Run | undefined;
  running: boolean;
  start: (request: Ask) => void;
  stop: () => void;
  clear: () => void;
}

/** One run at a time, drawn at most once per frame; leaving the page stops it. */
export function useRun(apiKey: string, language: Language): RunControl {
  const [run, setRun] = useState<Run | undefined>(undefined);
  const [running, setRunning] = useState(false);
  const controller = useRef<AbortController | undefined>(undefined);

  const stop = useCallback(() => controller.current?.abort(), []);
  const clear = useCallback(() => {
    controller.current?.abort();
    controller.current = undefined;
    setRunning(false);
    setRun(undefined);
  }, []);
  const start = useCallback(
    (request: Ask) => {
      controller.current?.abort();
      const own = new AbortController();
      controller.current = own;
      setRunning(true);
      const isCurrent = () => controller.current === own;
      void follow(ask(request, { apiKey, language, signal: own.signal }), (next) => {
        if (isCurrent()) setRun(next);
      }).finally(() => {
        if (isCurrent()) setRunning(false);
      });
    },
    [apiKey, language],
  );
  useEffect(() => stop, [stop]);
  return { run, running, start, stop, clear };
}

/** Hands on the latest run once per frame, and the last one always; a hidden page has no frames. */
async function follow(runs: AsyncIterable<Run>, draw: (run: Run) => void): Promise<void> {
  let latest: Run | undefined;
  let frame = 0;
  for await (const run of runs) {
    latest = run;
    if (frame !== 0 || document.hidden) continue;
    frame = requestAnimationFrame(() => {
      frame = 0;
      if (latest !== undefined) draw(latest);
    });
  }
  cancelAnimationFrame(frame);
  if (latest !== undefined) draw(latest);
}
