"""Graphs alone, with the metadata of mjlab and of exploy."""

import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from drawing import JOINTS, case, graph

def csv(values):
    """As mjlab writes lists."""
    return ",".join(it if isinstance(it, str) else f"{it:.3f}" for it in values)


def alone(name, *, metadata, wrong=None, warnings=(), **drawn):
    folder = case(name, wrong=wrong, warnings=warnings)
    graph(folder / "policy.onnx", metadata=metadata, **drawn)
    return folder


def mjlab(name, *, inputs=None, wrong=None, rate="50", warnings=(), output=(1, 6), memory=None,
          joints=JOINTS, **changed):
    """`changed` are entries of the metadata; None takes one away."""
    said = {
        "run_path": "me/reach/1", "joint_names": csv(joints),
        "joint_stiffness": csv([20.0] * len(joints)), "joint_damping": csv([1.0] * len(joints)),
        "default_joint_pos": csv([0.1 * index for index in range(len(joints))]),
        "command_names": "", "observation_names": "joint_pos,joint_vel,actions",
        "action_scale": csv([0.5] * len(joints)), "update_rate": rate,
    } | changed
    said = {key: value for key, value in said.items() if value is not None}
    if wrong:
        wrong = (f"policy.onnx: {wrong[0]}", wrong[1])
    return alone(name, metadata=said, inputs=inputs or {"obs": (1, 18)}, output=output,
                 called="actions", memory=memory, wrong=wrong, warnings=warnings)


def of_mjlab():
    mjlab("mjlab")
    mjlab("mjlab_without_its_rate", rate=None, warnings=["policy.onnx: metadata update_rate"])
    mjlab("mjlab_with_one_scale", action_scale="0.25")
    mjlab("mjlab_of_isaac_s_terms", observation_names="joint_pos_rel,joint_vel_rel,last_action")
    mjlab("mjlab_of_positions_alone", observation_names="joint_pos", inputs={"obs": (1, 6)})
    mjlab("mjlab_of_two_arms", inputs={"obs": (1, 36)}, output=(1, 12),
          joints=[f"{side}_{joint}" for side in ("left", "right") for joint in JOINTS])
    mjlab("mjlab_with_lstm", inputs={"obs": (1, 18), "h_in": (1, 1, 8), "c_in": (1, 1, 8)},
          memory={"h_in": "h_out", "c_in": "c_out"})

    said = "metadata observation_names"
    mjlab("mjlab_that_feels_its_base", wrong=(said, "base_ang_vel"), inputs={"obs": (1, 21)},
          observation_names="base_ang_vel,joint_pos,joint_vel,actions")
    mjlab("mjlab_that_obeys_commands", wrong=(said, "nobody gives one"), inputs={"obs": (1, 21)},
          observation_names="joint_pos,joint_vel,actions,command", command_names="twist")
    mjlab("mjlab_of_unknown_terms", wrong=(said, "height_scan"),
          observation_names="joint_pos,joint_vel,actions,height_scan")
    mjlab("mjlab_of_another_width", wrong=(said, "18 values"), inputs={"obs": (1, 36)})
    mjlab("mjlab_of_torques", wrong=("metadata joint_stiffness", "torque"),
          joint_stiffness=csv([20.0] * 5 + [0.0]))
    mjlab("mjlab_without_defaults", wrong=("metadata default_joint_pos", "missing"),
          default_joint_pos=None)
    mjlab("mjlab_with_too_few_defaults", wrong=("metadata default_joint_pos", "5 values"),
          default_joint_pos=csv([0.0] * 5))
    mjlab("mjlab_with_words_for_numbers", wrong=("metadata action_scale", "a lot"),
          action_scale="a lot")
    mjlab("mjlab_of_a_humanoid", wrong=("metadata joint_names", "29 joints"),
          joints=[f"j{index}" for index in range(29)], inputs={"obs": (1, 87)}, output=(1, 29))
    mjlab("mjlab_with_a_joint_twice", wrong=("metadata joint_names", "named twice"),
          joints=JOINTS[:5] + ["wrist_roll"])
    mjlab("mjlab_that_moves_fewer", wrong=("metadata joint_names", "[1, 5]"), output=(1, 5))
    mjlab("mjlab_that_follows_a_motion", wrong=("time_step", "recorded motion"),
          inputs={"obs": (1, 18), "time_step": (1, 1)})
    mjlab("mjlab_of_no_pace", wrong=("metadata update_rate", "fast"), rate="fast")
    alone("a_graph_without_metadata", metadata=None, inputs={"obs": (1, 18)}, output=(1, 6),
          wrong=("policy.onnx", "stands alone"))


def exploy(name, *, wrong=None, joints=JOINTS, more_inputs=None, group="joint_pos", kinds=None,
           memory=True, counts=("ctx.step_count",), more=(), **changed):
    """`changed` are entries of the metadata, with __ for dots; None takes one away."""
    targets = f"output.joint_targets.{group}"
    kinds = kinds or ["pos", "vel", "effort"]
    width = len(joints)
    said = {
        "model_source": json.dumps({"type": "local"}), "exploy_version": json.dumps("0.3.1"),
        "obs_term_names": json.dumps(["joint_pos"]), "decimation": "4", "sim_dt": "0.005",
        "update_rate": "200.0", "base_names": json.dumps({"arm": "base"}),
        "obj.arm.joints": json.dumps({"joint_names": joints}),
        targets: json.dumps({"type": "joint_targets", "names": joints,
                             "stiffness": [20.0] * width, "damping": [1.0] * width}),
    }
    for key, value in changed.items():
        said[key.replace("__", ".")] = value
    said = {key: value for key, value in said.items() if value is not None}
    inputs = {"obj.arm.joints.pos": (1, width), "obj.arm.joints.vel": (1, width)}
    hand_on = {}
    if memory:
        inputs["memory.actions.in"] = (1, width)
        hand_on = {"memory.actions.in": "memory.actions.out"}
    outputs = [f"{targets}.{kind}" for kind in kinds]
    if wrong:
        wrong = (f"policy.onnx{wrong[0]}", wrong[1])
    return alone(name, metadata=said, inputs=inputs | (more_inputs or {}), output=(1, width),
                 called=outputs[0], more=(*outputs[1:], "actions", *more), memory=hand_on,
                 counts={key: (TensorProto.INT32, ()) for key in counts}, wrong=wrong)


def decimated(path):
    """As exploy wraps every graph: a branch that thinks at each fourth step (its targets are 0.1), and
    one that does not in between (its targets are 0.9)."""
    targets = "output.joint_targets.joint_pos.pos"
    model = onnx.load(path)
    old = model.graph

    def branch(name, value):
        target = helper.make_tensor_value_info(f"{name}_pos", TensorProto.FLOAT, (1, 6))
        weight = numpy_helper.from_array(np.full((1, 6), value, np.float32), f"{name}_value")
        node = helper.make_node("Add", [targets + ".old", f"{name}_value"], [f"{name}_pos"])
        return helper.make_graph([node], name, [], [target], [weight])
    for node in old.node:
        node.output[:] = [targets + ".old" if it == targets else it for it in node.output]
        node.input[:] = [targets + ".old" if it == targets else it for it in node.input]
    old.initializer.extend([numpy_helper.from_array(np.array(4, np.int32), "decimation"),
                            numpy_helper.from_array(np.array(0, np.int32), "zero")])
    old.node.extend([
        helper.make_node("Mod", ["ctx.step_count", "decimation"], ["rest"]),
        helper.make_node("Equal", ["rest", "zero"], ["event"]),
        helper.make_node("If", ["event"], [targets], then_branch=branch("thinks", 0.1),
                         else_branch=branch("waits", 0.9))])
    path.write_bytes(model.SerializeToString())


def of_exploy():
    targets = ": metadata output.joint_targets.joint_pos"
    exploy("exploy")
    decimated(exploy("exploy_that_thinks_every_fourth_step") / "policy.onnx")
    exploy("exploy_without_steps", counts=(), memory=False, decimation=None, update_rate="50.0")
    exploy("exploy_of_a_development_version", exploy_version=json.dumps("0.0.post1.dev96+gabc"))

    exploy("exploy_that_feels_its_base", wrong=(": obj.arm.base.lin_vel_b_rt_w_in_b", "stands"),
           more_inputs={"obj.arm.base.lin_vel_b_rt_w_in_b": (1, 3)})
    exploy("exploy_that_obeys_commands", wrong=(": cmd.se2_velocity.twist", "nobody gives one"),
           more_inputs={"cmd.se2_velocity.twist": (1, 3)})
    exploy("exploy_that_scans_heights", wrong=(": sensor.ray_caster.feet.height", "sensor"),
           more_inputs={"sensor.ray_caster.feet.height": (1, 9)})
    exploy("exploy_of_unknown_inputs", wrong=(": custom.mood", "nothing here can feed"),
           more_inputs={"custom.mood": (1, 1)})
    exploy("exploy_of_torques", wrong=(targets, "torque"),
           output__joint_targets__joint_pos=json.dumps(
               {"names": JOINTS, "stiffness": [0.0] * 6, "damping": [1.0] * 6}))
    exploy("exploy_that_only_pushes", wrong=(targets, "positions alone"), kinds=["effort"])
    exploy("exploy_that_drives_away", wrong=(": output.se2_velocity.base", "something else"),
           more=("output.se2_velocity.base",))
    exploy("exploy_of_two_groups", wrong=("", "2 groups"),
           more=("output.joint_targets.legs.pos",))
    exploy("exploy_of_no_version", wrong=(": metadata exploy_version", "soon"),
           exploy_version=json.dumps("soon"))
    exploy("exploy_without_a_rate", wrong=(": metadata update_rate", "missing"), update_rate=None)
    exploy("exploy_of_no_time", wrong=(": metadata update_rate", "it is"), update_rate="0")
    exploy("exploy_without_joint_names", wrong=(": metadata obj.arm.joints", "missing"),
           obj__arm__joints=None)
    exploy("exploy_of_broken_json", wrong=(": metadata obj.arm.joints", "line 1"),
           obj__arm__joints="{")
    exploy("exploy_of_another_arm", wrong=(": metadata obj.arm.joints", "names 2 joints"),
           obj__arm__joints=json.dumps({"joint_names": ["a", "b"]}))
