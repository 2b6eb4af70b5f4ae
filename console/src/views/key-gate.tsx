import { useState, type ReactNode, type SubmitEvent } from 'react';
import { listChoices } from '../api/list-choices.ts';
import { RequestFailure } from '../api/send.ts';
import type { Failure } from '../run/run.ts';
import { useLanguage } from '../words/language.tsx';
import { FailureNote } from './failure-note.tsx';
import { GateMark } from './gate-mark.tsx';

/** The first screen: asks for the key, tries it, and lets the caller in. */
export function KeyGate(props: { onKey: (key: string) => void; failure?: Failure }): ReactNode {
  const { words, language } = useLanguage();
  const [key, setKey] = useState('');
  const [shown, setShown] = useState(false);
  const [checking, setChecking] = useState(false);
  const [failure, setFailure] = useState(props.failure);

  const enter = async (event: SubmitEvent) => {
    event.preventDefault();
    const apiKey = key.trim();
    if (apiKey === '' || checking) return;
    setChecking(true);
    setFailure(undefined);
    try {
      await listChoices({ apiKey, language, signal: AbortSignal.timeout(15_000) });
      props.onKey(apiKey);
    } catch (error) {
      setFailure(error instanceof RequestFailure ? error.failure : { kind: 'unreachable' });
    } finally {
      setChecking(false);
    }
  };
  return (
    <section className="key-gate" aria-labelledby="key-title">
      <GateMark size={72} />
      <h1 id="key-title">{words.key.title}</h1>
      <p className="lead">{words.key.lead}</p>
      <form onSubmit={(event) => void enter(event)}>
        <label htmlFor="api-key">{words.key.label}</label>
        <div className="key-row">
          <input
            id="api-key"
            type={shown ? 'text' : 'password'}
            value={key}
            onChange={(event) => setKey(event.target.value)}
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            autoFocus
            required
          />
          <button type="button" className="quiet" aria-pressed={shown} onClick={() => setShown(!shown)}>
            {shown ? words.key.hide : words.key.show}
          </button>
          <button type="submit" className="primary" disabled={checking}>
            {checking ? words.key.checking : words.key.enter}
          </button>
        </div>
      </form>
      {failure === undefined ? null : <FailureNote failure={failure} />}
      <div className="key-help">
        <p>{words.key.where}</p>
        <p>
          {words.key.another} <code>npx sekisho keys create</code>
        </p>
        <p>{words.key.stays}</p>
      </div>
    </section>
  );
}
