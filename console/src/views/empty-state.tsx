import type { ReactNode } from 'react';
import type { Choice } from '../api/list-choices.ts';
import { useLanguage } from '../words/language.tsx';

/** The collection that every first start makes from Sekisho's own pages; the examples are about it. */
const HANDBOOK = 'handbook';

/** Before the first question: what this place is for, and questions to begin with. */
export function EmptyState(props: { choice: Choice; onExample: (question: string) => void }): ReactNode {
  const { words } = useLanguage();
  const documents = props.choice.kind === 'documents';
  return (
    <section className="empty">
      <h1>{documents ? words.empty.documents : words.empty.model}</h1>
      <p className="lead">{documents ? words.empty.documentsLead : words.empty.modelLead}</p>
      {props.choice.name === HANDBOOK && documents ? (
        <>
          <h2>{words.empty.examples}</h2>
          <ul className="examples">
            {words.examples.map((example) => (
              <li key={example}>
                <button type="button" onClick={() => props.onExample(example)}>
                  {example}
                </button>
              </li>
            ))}
          </ul>
        </>
      ) : null}
    </section>
  );
}

/** Where the evidence will stand: what happens to a question on its way. */
export function LearnPanel(props: { kind: Choice['kind'] }): ReactNode {
  const { words } = useLanguage();
  if (props.kind === 'model') return <p className="note">{words.learn.watchModel}</p>;
  return (
    <section className="learn">
      <h2>{words.learn.title}</h2>
      <ol>
        <li>{words.learn.find}</li>
        <li>{words.learn.fuse}</li>
        <li>{words.learn.cite}</li>
      </ol>
      <p className="note">{words.learn.watch}</p>
    </section>
  );
}
