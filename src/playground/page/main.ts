/** Puts the page together: editor, controls, runners, and the one run that may be under way. */
import type { OfferedModel } from '../shared/offered-model.ts';
import { RunError, type Runner } from '../shared/run-event.ts';
import { Controls } from './controls.ts';
import { CodeEditor } from './editor/editor.ts';
import { element } from './elements.ts';
import { jobFromEditor } from './job-from-editor.ts';
import { tabStore } from './keep.ts';
import { LoadPanel } from './loading.ts';
import { NO_MEASURES } from './measures.ts';
import { keepOffline } from './offline.ts';
import { Panel, readingsOf } from './panel.ts';
import { Race } from './race/race.ts';
import { runCompletion, type Stage } from './run/completion.ts';
import { apiCall, asCurl } from './run/completion-body.ts';
import { PageRunner } from './run/page-runner.ts';
import { runRepair } from './run/repair.ts';
import { ServerRunner } from './run/server-runner.ts';
import { SAMPLES } from './samples.ts';
import { followTheme } from './theme.ts';
import { chosenThreads, offerThreads } from './threads.ts';
import { Timeline } from './timeline.ts';

const button = (id: string) => element(id, HTMLButtonElement);
const offlineReady = keepOffline();
followTheme(button('theme'));
offerThreads();

const panel = new Panel();
const loadPanel = new LoadPanel();
const controls = new Controls(settingsChanged);
let shownLanguage = controls.language;
const editor = new CodeEditor(
  element('editor', HTMLElement),
  tabStore.get('text') ?? SAMPLES[shownLanguage],
  shownLanguage,
  () => tabStore.set('text', editor.text),
);
const timeline = new Timeline(
  element('timeline', SVGSVGElement),
  element('timeline-x', HTMLElement),
  element('timeline-y', HTMLElement),
);
const server = new ServerRunner(() => controls.apiKey);
const inPage = new PageRunner(
  () => ({
    model: controls.model,
    runtime: controls.runtime,
    threads: chosenThreads(),
    apiKey: controls.apiKey,
  }),
  loadPanel,
);
const race = new Race();
const CANCELLED = 'Cancelled. What was final by then is in the text.';
const RACE_CANCELLED = 'Cancelled. Without both runs there is nothing to compare.';
let running: AbortController | null = null;

panel.show(readingsOf(NO_MEASURES, null));
void offerModels();

/** Only one thing runs at a time. Meanwhile the page offers only `cancel`. */
async function exclusively(
  work: (signal: AbortSignal) => Promise<string>,
  cancelled: string = CANCELLED,
): Promise<void> {
  if (running !== null) return;
  running = new AbortController();
  const { signal } = running;
  showRunning(true);
  try {
    panel.say(await work(signal));
  } catch (error) {
    if (signal.aborted) panel.say(cancelled);
    else complain(error);
  } finally {
    running = null;
    showRunning(false);
  }
}

function run(): Promise<void> {
  return exclusively(async (signal) => {
    const placed = jobFromEditor(editor, controls);
    showView('run');
    const runner = await readyRunner(signal);
    panel.say(runner === inPage ? 'Running in this page.' : 'Running on the server.');
    if (placed.place === null) return runRepair(runner, placed.job, editor, (now) => panel.show(now), signal);
    const stage: Stage = { editor, timeline, measured: (...now) => panel.show(readingsOf(...now)) };
    return runCompletion(runner, placed.job, placed.place, stage, signal);
  });
}

function startRace(): Promise<void> {
  return exclusively(async (signal) => {
    const { job } = jobFromEditor(editor, controls);
    if (job.kind === 'repair') return 'A race is between completions.';
    showView('race');
    const runner = await readyRunner(signal);
    const verdict = await race.run(runner, job, (sentence) => panel.say(sentence), signal);
    panel.say(verdict);
    return matchMedia('(prefers-reduced-motion: reduce)').matches ? verdict : race.play(signal);
  }, RACE_CANCELLED);
}

async function replayRace(): Promise<void> {
  if (race.isFinished) await exclusively((signal) => race.play(signal));
}

/** Where the reader wants it to run. */
async function readyRunner(signal: AbortSignal): Promise<Runner> {
  if (controls.where === 'server') return server;
  await loadInPage(signal);
  return inPage;
}

/** The last run or the last race, with what belongs to it. */
function showView(view: 'run' | 'race'): void {
  element('race', HTMLElement).hidden = view !== 'race';
  document.documentElement.dataset.view = view;
}

function load(): Promise<void> {
  return exclusively(async (signal) => {
    await loadInPage(signal);
    return 'The model is ready.';
  });
}

async function loadInPage(signal: AbortSignal): Promise<void> {
  if (!inPage.isLoaded) panel.say('Loading the model into this page.');
  // Files that the worker fetches earlier are not kept for offline use.
  await offlineReady;
  await inPage.load(signal);
}

function cancel(): void {
  running?.abort(new DOMException('cancelled by the reader', 'AbortError'));
}

async function copyCurl(): Promise<void> {
  const command = asCurl(apiCall(jobFromEditor(editor, controls).job), location.origin, controls.apiKey !== '');
  try {
    await navigator.clipboard.writeText(command);
    panel.say('The curl command for this request is in the clipboard.');
  } catch {
    panel.complain('This browser did not let the page write to the clipboard.');
  }
}

function settingsChanged(): void {
  if (controls.language === shownLanguage) return;
  // A sample that nobody has changed is replaced by the other language's.
  if (editor.text === SAMPLES[shownLanguage]) editor.replaceAll(SAMPLES[controls.language]);
  shownLanguage = controls.language;
  editor.language = shownLanguage;
}

function showRunning(isRunning: boolean): void {
  for (const id of ['run', 'race-start', 'load']) enable(button(id), !isRunning);
  enable(button('cancel'), isRunning);
  enable(button('race-replay'), !isRunning && race.isFinished);
  document.documentElement.toggleAttribute('data-running', isRunning);
}

/** Not `disabled`: a button that is pressed by keyboard would lose the focus. What it calls does nothing meanwhile. */
function enable(target: HTMLButtonElement, enabled: boolean): void {
  target.setAttribute('aria-disabled', `${!enabled}`);
}

function complain(error: unknown): void {
  panel.complain(error instanceof RunError ? error.message : `The page made a mistake: ${error}.`);
  if (error instanceof RunError && error.needsKey) controls.focusKey();
  if (!(error instanceof RunError)) console.error(error);
}

async function offerModels(): Promise<void> {
  const gpu = element('runtime', HTMLSelectElement).querySelector('option[value="webgpu"]');
  if (gpu instanceof HTMLOptionElement && !('gpu' in navigator)) {
    gpu.disabled = true;
    gpu.textContent = 'WebGPU (not in this browser)';
  }
  await offlineReady;
  try {
    const models = (await (await fetch('/playground/models.json')).json()) as readonly OfferedModel[];
    controls.offerModels(models.map(({ name }) => name));
    loadPanel.offer(models);
  } catch (error) {
    console.warn('The list of models did not come:', error);
  }
}

if (/Mac|iP/.test(navigator.platform)) element('run-keys', HTMLElement).textContent = '\u2318 \u21b5';
button('run').addEventListener('click', () => void run());
button('race-start').addEventListener('click', () => void startRace());
button('race-replay').addEventListener('click', () => void replayRace());
button('cancel').addEventListener('click', cancel);
button('load').addEventListener('click', () => void load());
button('curl').addEventListener('click', () => void copyCurl());
// The form is never sent. Enter in one of its fields would send it.
element('settings', HTMLFormElement).addEventListener('submit', (event) => event.preventDefault());
document.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    void run();
  }
  if (event.key === 'Escape') cancel();
});
