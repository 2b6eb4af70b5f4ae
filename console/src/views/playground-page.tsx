import { useCallback, useEffect, useState, type ReactNode } from 'react';
import { listChoices, type Choice } from '../api/list-choices.ts';
import { RequestFailure } from '../api/send.ts';
import { storeApiKey, storedApiKey } from '../preferences.ts';
import type { Failure } from '../run/run.ts';
import { useLanguage } from '../words/language.tsx';
import { AppShell } from './app-shell.tsx';
import { FailureNote } from './failure-note.tsx';
import { KeyGate } from './key-gate.tsx';
import { Playground } from './playground.tsx';

/** The playground, behind the gate: without a key that the server accepts there is only the question for one. */
export function PlaygroundPage(): ReactNode {
  const { words, language } = useLanguage();
  const [apiKey, setApiKey] = useState(storedApiKey);
  const [choices, setChoices] = useState<readonly Choice[] | undefined>(undefined);
  const [failure, setFailure] = useState<Failure | undefined>(undefined);

  const hold = useCallback((key: string | undefined) => {
    storeApiKey(key);
    setChoices(undefined);
    setFailure(undefined);
    setApiKey(key);
  }, []);

  useEffect(() => {
    if (apiKey === undefined) return undefined;
    const controller = new AbortController();
    listChoices({ apiKey, language, signal: controller.signal }).then(
      (found) => {
        setFailure(undefined);
        setChoices((known) => (known !== undefined && sameChoices(known, found) ? known : found));
      },
      (error: unknown) => {
        if (controller.signal.aborted) return;
        if (error instanceof RequestFailure && error.status === 401) hold(undefined);
        setFailure(error instanceof RequestFailure ? error.failure : { kind: 'unreachable' });
      },
    );
    return () => controller.abort();
  }, [apiKey, language, hold]);

  if (apiKey === undefined) {
    return (
      <AppShell page="playground">
        <KeyGate onKey={hold} {...(failure === undefined ? {} : { failure })} />
      </AppShell>
    );
  }
  const keyHeld = { hint: `…${apiKey.slice(-4)}`, forget: () => hold(undefined) };
  return (
    <AppShell page="playground" keyHeld={keyHeld}>
      {failure === undefined ? null : <FailureNote failure={failure} />}
      {choices === undefined && failure === undefined ? <p className="note">{words.pick.loading}</p> : null}
      {choices?.length === 0 ? (
        <section className="empty">
          <h1>{words.pick.none}</h1>
          <p className="lead">{words.pick.noneHow}</p>
        </section>
      ) : null}
      {choices !== undefined && choices.length > 0 ? <Playground apiKey={apiKey} choices={choices} /> : null}
    </AppShell>
  );
}

function sameChoices(a: readonly Choice[], b: readonly Choice[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
