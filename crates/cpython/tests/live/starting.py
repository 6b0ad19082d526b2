"""The start works under every kind of tool, in any thread, and says what it does not support."""
import subprocess
import sys

SCRIPTS = {
    'plain': '',
    'settrace': 'def tracer(*arguments): return tracer\nsys.settrace(tracer)',
    'opcodes': 'def tracer(frame, *arguments):\n frame.f_trace_opcodes = True\n return tracer\nsys.settrace(tracer)',
    'setprofile': 'sys.setprofile(lambda *arguments: None)',
    'monitoring': 'M = sys.monitoring\nM.use_tool_id(1, "all")\n'
                  'for e in ("LINE", "INSTRUCTION", "JUMP", "CALL", "PY_START", "PY_RETURN", "BRANCH"):\n'
                  ' M.register_callback(1, getattr(M.events, e), lambda *arguments: None)\n'
                  'M.set_events(1, M.events.LINE | M.events.INSTRUCTION | M.events.JUMP | M.events.CALL | M.events.PY_START '
                  '| M.events.PY_RETURN | M.events.BRANCH)',
    'in a callback': 'M = sys.monitoring\nM.use_tool_id(1, "one")\n'
                     'M.register_callback(1, M.events.CALL, lambda *arguments: M.set_events(1, 0) or live_probe.start())\n'
                     'M.set_events(1, M.events.CALL)',
    'in an except block': 'try: 1 / 0\nexcept ZeroDivisionError as e:\n live_probe.start(); assert sys.exc_info()[1] is e',
    'deep': 'def deep(n): return deep(n - 1) if n else live_probe.start()\ndeep(900)',
    'another thread': 'import threading\nresults = []\n'
                      'thread = threading.Thread(target=lambda: results.append(live_probe.start()))\nthread.start(); thread.join()\n'
                      'assert results, "failed"',
    'no f_trace left': 'live_probe.start()\nassert sys._getframe().f_trace is None',
}
for name, script in SCRIPTS.items():
    script = f'import sys, live_probe\n{script}\nprint(live_probe.start())'
    done = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True)
    assert done.returncode == 0 and 'float free list true' in done.stdout, (name, done.stdout, done.stderr)

# A subinterpreter is not ours.
script = '''
import live_probe
try:
    import _interpreters
    make, run = _interpreters.create, lambda i, s: _interpreters.exec(i, s)
except ImportError:
    import _xxsubinterpreters as _interpreters
    make, run = _interpreters.create, lambda i, s: _interpreters.run_string(i, s)
import sys
inside = "import sys; sys.path[:] = %r\\nimport live_probe\\ntry: print(live_probe.start())\\nexcept BaseException as e: print(type(e), e)" % (sys.path,)
print(run(make() if sys.version_info < (3, 13) else make('legacy'), inside))
'''
done = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True)
assert 'main interpreter' in done.stdout + done.stderr or 'does not support' in done.stdout + done.stderr, (done.stdout, done.stderr)
