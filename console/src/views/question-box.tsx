import type { KeyboardEvent, ReactNode, RefObject } from 'react';
import { useLanguage } from '../words/language.tsx';

interface QuestionProps {
  field: RefObject<HTMLTextAreaElement | null>;
  question: string;
  onQuestion: (question: string) => void;
  onSend: () => void;
  onStop: () => void;
  running: boolean;
  kind: 'documents' | 'model';
}

const IS_APPLE = /Mac|iPhone|iPad/.test(navigator.userAgent);
const LONGEST_QUESTION = 20_000;

/** Where the question is written. ⌘ or Ctrl with Enter sends; Enter alone is a new line. */
export function QuestionBox(props: QuestionProps): ReactNode {
  const { words } = useLanguage();
  const placeholder = props.kind === 'documents' ? words.ask.placeholderDocuments : words.ask.placeholderModel;
  const onKeyDown = (event: KeyboardEvent) => {
    // An Enter that ends a Japanese conversion is not a command.
    if (event.key !== 'Enter' || event.nativeEvent.isComposing || !(event.metaKey || event.ctrlKey)) return;
    event.preventDefault();
    props.onSend();
  };
  return (
    <form
      className="question"
      onSubmit={(event) => {
        event.preventDefault();
        props.onSend();
      }}
    >
      <label className="hidden" htmlFor="question">
        {words.ask.label}
      </label>
      <textarea
        id="question"
        ref={props.field}
        rows={3}
        maxLength={LONGEST_QUESTION}
        value={props.question}
        placeholder={placeholder}
        onChange={(event) => props.onQuestion(event.target.value)}
        onKeyDown={onKeyDown}
        autoFocus
      />
      <div className="question-end">
        <span className="hint">
          <kbd>{IS_APPLE ? '⌘' : 'Ctrl'}</kbd>
          <kbd>Enter</kbd>
        </span>
        {props.running ? (
          <button type="button" className="stop" onClick={props.onStop} title={words.ask.keys}>
            <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
              <rect x="1" y="1" width="10" height="10" rx="2" />
            </svg>
            {words.ask.stop}
            <kbd>Esc</kbd>
          </button>
        ) : (
          <button type="submit" className="primary" disabled={props.question.trim() === ''}>
            {words.ask.send}
          </button>
        )}
      </div>
    </form>
  );
}
