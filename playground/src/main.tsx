import './workers';
import 'graphiql/style.css';
import './style.css';
import './guide/guide.css';
import './live/live.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './App';
import { loadConfig } from './config';
import { createPlayground } from './playground';
import { returnedIn } from './session/provider';

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no element with the id root');

const playground = createPlayground(await loadConfig());
const returned = returnedIn(location.hash);
if (returned !== null) {
  // A code works once: it must not be there after a reload.
  history.replaceState(null, '', location.pathname + location.search);
  void playground.session.signIn(returned);
}
createRoot(root).render(
  <StrictMode>
    <App playground={playground} />
  </StrictMode>,
);
