// Runs a Python script with Pyodide: node compile.mjs HOME SCRIPT FOLDER SHOWN
// HOME has Pyodide's files. The script sees FOLDER as /work, and /work and SHOWN as its arguments.

import { pathToFileURL } from "node:url";

const [home, script, folder, shown] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(`${home}/pyodide.mjs`));
const python = await loadPyodide({ args: ["-c", "/work", shown], env: { PYTHONHASHSEED: "0" } });
python.mountNodeFS("/work", folder);
python.runPython(`import sys; sys.argv = ["-c", "/work", ${JSON.stringify(shown)}]`);
python.runPython(script);
