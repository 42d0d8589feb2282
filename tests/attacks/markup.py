"""Scripts, styles and terminal codes in outputs, errors, names and texts that people will see."""

# %% nn_forward_pass
from IPython.display import HTML, Javascript, Markdown, display

SCRIPT = "<script>window.gc_attack = 1</script><img src=x onerror='window.gc_attack = 1'>"
display(HTML(SCRIPT), Javascript("window.gc_attack = 1"), Markdown(SCRIPT))
display({"image/svg+xml": f"<svg onload='window.gc_attack = 1'>{SCRIPT}</svg>"}, raw=True)
display({"text/latex": SCRIPT}, raw=True)
display({"image/png": f'"/>{SCRIPT}'}, raw=True)
display({"application/vnd.jupyter.widget-view+json": {"model_id": SCRIPT}}, raw=True)
print(f"\x1b]0;{SCRIPT}\x07\x1b[31m\x1b[2J\x1b]8;;javascript:gc_attack\x07x")

Wicked = type(SCRIPT, (Exception,), {})


def nn_forward_pass(params, X):
    raise Wicked(f"\x1b[2J</pre></td>{SCRIPT}")


# %% question_initial_loss
The loss is small, <script>window.gc_attack = 1</script><img src=x onerror="window.gc_attack = 1">
and [here](javascript:gc_attack) <a href="javascript:gc_attack">and here</a>, <!-- <script>gc_attack</script> -->

# %% nn_loss
def nn_loss(params, scores, y, reg):
    return type(f"</div>{SCRIPT}", (), {})()


# %% nn_forward_backward
raise Wicked(f"\x1b[2J</pre></td>{SCRIPT}")


# %% numeric_gradient
def numeric_gradient(f, x):
    return {f"{SCRIPT}": 1}


# %% nn_predict
class Told:
    def _render_traceback_(self):
        return [SCRIPT, "\x1b[31m" + SCRIPT]


class Error(Told, Exception):
    pass


raise Error(SCRIPT)
