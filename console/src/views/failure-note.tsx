import type { ReactNode } from 'react';
import type { Failure } from '../run/run.ts';
import { useLanguage } from '../words/language.tsx';

/** What went wrong, in the caller's language, with the code and the request id that the log knows. */
export function FailureNote(props: { failure: Failure }): ReactNode {
  const { words } = useLanguage();
  const { failure } = props;
  const message = failure.kind === 'server' ? failure.message : words.errors[failure.kind];
  return (
    <div className="failure" role="alert">
      <strong>{words.errors.title}</strong>
      <p>{message}</p>
      <p className="failure-facts">
        {failure.kind === 'server' ? (
          <span>
            {words.errors.code} <code>{failure.code}</code>
          </span>
        ) : null}
        {failure.requestId === undefined ? null : (
          <span>
            {words.errors.requestId} <code>{failure.requestId}</code>
          </span>
        )}
      </p>
    </div>
  );
}
