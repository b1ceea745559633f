// Compiles every .sol file of this folder into combined.json (ABI and code per contract), from which abigen makes the Go
// bindings: `npm install && npm run build && go generate`. The compiler is JavaScript and pinned like its libraries, so every
// machine gives the same bytes. `node build.mjs --check` fails when the committed file is not what the sources give.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";

const here = path.dirname(fileURLToPath(import.meta.url));
const output = path.join(here, "combined.json");
const sources = Object.fromEntries(
  fs
    .readdirSync(here)
    .filter((name) => name.endsWith(".sol"))
    .map((name) => [name, { content: fs.readFileSync(path.join(here, name), "utf8") }]),
);
const input = {
  language: "Solidity",
  sources,
  settings: {
    optimizer: { enabled: true, runs: 200 },
    evmVersion: "london", // chains such as peaq lag behind
    metadata: { bytecodeHash: "none", appendCBOR: false }, // the same code from every folder
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
  },
};
const read = (name) => {
  try {
    return { contents: fs.readFileSync(path.join(here, "node_modules", name), "utf8") };
  } catch (err) {
    return { error: String(err) };
  }
};
const result = JSON.parse(solc.compile(JSON.stringify(input), { import: read }));
for (const problem of result.errors ?? []) console.error(problem.formattedMessage);
if ((result.errors ?? []).some((problem) => problem.severity === "error")) process.exit(1);

const contracts = {};
for (const file of Object.keys(sources).sort())
  for (const [name, made] of Object.entries(result.contracts[file]))
    contracts[`${file}:${name}`] = {
      abi: made.abi,
      bin: made.evm.bytecode.object,
      "bin-runtime": made.evm.deployedBytecode.object,
    };
const text = JSON.stringify({ contracts, version: solc.version() }, null, 2) + "\n";
if (process.argv.includes("--check")) {
  if (fs.readFileSync(output, "utf8") !== text) {
    console.error("combined.json is not what the sources give: run `npm run build` here");
    process.exit(1);
  }
  console.log("combined.json is what the sources give");
} else {
  fs.writeFileSync(output, text);
}
