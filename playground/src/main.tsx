import './workers';
import 'graphiql/style.css';
import './style.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './App';
import { loadConfig } from './config';
import { createPlayground } from './playground';

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no element with the id root');

const playground = createPlayground(await loadConfig());
createRoot(root).render(
  <StrictMode>
    <App playground={playground} />
  </StrictMode>,
);
