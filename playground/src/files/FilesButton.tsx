// Beside a storage claim: the way to its files.
import { useState } from 'react';
import { chosenFor } from '../operations/picks';
import type { Template } from '../operations/template';
import type { Playground } from '../playground';
import { useStore } from '../store';
import { openFiles } from './openFiles';

export function FilesButton({ playground, template }: { playground: Playground; template: Template }) {
  const situation = useStore(playground.viewer.situation);
  const picked = useStore(playground.viewer.picked);
  const [refusal, setRefusal] = useState<{ claim: string; why: string } | null>(null);
  const chosen = template.picks?.kind === 'claim' ? chosenFor(template, situation, picked) : undefined;
  const claim = situation.claims.find(({ id }) => id === chosen?.id);
  if (!claim || claim.viewerAccess === 'NONE') return null;
  const show = async () => {
    const { send, session } = playground;
    const open = () => window.open('about:blank', '_blank');
    const why = await openFiles(claim.id, { send, token: () => session.token(), open });
    setRefusal(why === null ? null : { claim: claim.id, why });
    await playground.viewer.reload();
  };
  return (
    <>
      <button type="button" className="step more" onClick={() => void show()}>
        Files<span className="visually-hidden"> of {claim.name}, in a new tab</span>
      </button>
      {refusal?.claim === claim.id && (
        <span className="quiet" role="alert">
          {refusal.why}
        </span>
      )}
    </>
  );
}
