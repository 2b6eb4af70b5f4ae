import { startSekisho } from '../app.ts';
import type { CommandInput } from './command.ts';
import { settingsOf } from './settings-of.ts';

/** How long open streams may go on after the signal to stop. */
const DRAIN_MS = 10_000;

/** Starts the server and stays until a signal ends it. A second signal ends it at once. */
export async function serve(input: CommandInput): Promise<number> {
  const { terminal } = input;
  // A person at a terminal is told what needs attention; whatever collects logs is told everything.
  const settings = settingsOf(input, process.stderr.isTTY ? { usualLogLevel: 'warn' } : {});
  const sekisho = await startSekisho(settings, {
    showsFirstKey: true,
    onHandbookProgress: (done, total) => terminal.progress('Indexing the handbook', done, total),
  });
  // Whoever reads that it is ready may stop it at once.
  const ended = new Promise<number>((resolve) => {
    let stopping = false;
    const stop = (): void => {
      if (stopping) process.exit(1);
      stopping = true;
      sekisho.stop(DRAIN_MS).then(
        () => resolve(0),
        () => resolve(1),
      );
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
  });
  terminal.print(bannerOf(sekisho.url, sekisho.firstKey?.reveal()));
  return ended;
}

/** The few lines of a start: where it is, the key once, and two things to try. */
function bannerOf(url: string, firstKey: string | undefined): string {
  const key = firstKey ?? '$SEKISHO_KEY';
  const link = firstKey === undefined ? `${url}/console` : `${url}/console#key=${firstKey}`;
  return [
    '',
    '  関所 Sekisho is ready.',
    '',
    `  API      ${url}/v1`,
    `  Console  ${link}`,
    ...(firstKey === undefined ? [] : [`  Key      ${firstKey}   (shown once; more with: npx sekisho keys create)`]),
    '',
    '  Try',
    '    npx sekisho ask "What does Sekisho do with a request?"',
    `    curl ${url}/v1/chat/completions -H "authorization: Bearer ${key}" \\`,
    `      -H "content-type: application/json" -d '{"model":"rag/handbook","messages":[{"role":"user","content":"関所とは何ですか？"}]}'`,
    '',
  ].join('\n');
}
