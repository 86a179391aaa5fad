"""What has no twin is refused by name."""

import mujoco
import pytest
import torch

from motorctl.dynamics import TorchLimb
from motorctl.envs.registry import DEFINITIONS
from motorctl.errors import ConfigurationError

LIMB = """
<mujoco>
  <option {option}><flag {flag}/></option>
  <worldbody>
    <geom name="floor" type="plane" size="1 1 1" contype="{touch}" conaffinity="0"/>
    <site name="base" pos="0 0 1"/>
    <body name="arm" pos="0 0 1" {body}>
      {joint}
      <geom name="arm" type="capsule" fromto="0 0 0 0.3 0 0" size="0.03" contype="0"/>
      <geom name="ball" size="0.02" contype="0" conaffinity="0" mass="0"/>
      <site name="end" pos="0.3 0 0"/>
    </body>
    <body name="led" mocap="true"><site name="led"/></body>
  </worldbody>
  <tendon>{tendon}</tendon>
  <equality>{equality}</equality>
  <actuator>{actuator}</actuator>
</mujoco>
"""
PARTS = {
    "option": "",
    "flag": "",
    "touch": "0",
    "body": "",
    "joint": '<joint name="elbow" axis="0 1 0"/>',
    "tendon": "",
    "equality": "",
    "actuator": "",
}


def path(inside, **options):
    """A spatial tendon."""
    attributes = " ".join(f'{key}="{value}"' for key, value in options.items())
    return {"tendon": f'<spatial name="string" {attributes}>{inside}</spatial>'}


def joint(attributes):
    return {"joint": f'<joint name="elbow" axis="0 1 0" {attributes}/>'}


def actuator(attributes):
    return {"actuator": f'<general name="pull" {attributes}/>'}


MUSCLE, OTHER = (f"0.75 1.05 1 200 0.5 1.6 1.5 {passive} 1.2" for passive in (1.3, 0.9))
STRAIGHT = '<site site="base"/><site site="end"/>'
REFUSED = {
    "contacts": ({"touch": "1"}, "contacts ('floor' and 'arm')"),
    "ball": ({"joint": '<joint name="elbow" type="ball"/>'}, "ball joints ('elbow')"),
    "free": ({"joint": '<freejoint name="elbow"/>'}, "free joints ('elbow')"),
    "no joint": ({"joint": ""}, "no joint at all"),
    "limit": (joint('limited="true" range="-1 1"'), "joint limits"),
    "friction": (joint('frictionloss="0.1"'), "friction loss of joints ('elbow')"),
    "crooked spring": (joint('stiffness="1 2 3"'), "joint stiffness that is not linear ('elbow')"),
    "crooked damping": (joint('damping="1 2 3"'), "joint damping that is not linear ('elbow')"),
    "yield": (joint('stiffness="1" springyield="0.2"'), "joint springs that yield ('elbow')"),
    "force limit": (
        joint('actuatorfrclimited="true" actuatorfrcrange="-1 1"'),
        "limits of the actuators' force at joints",
    ),
    "gravity": (
        joint('actuatorgravcomp="true"') | {"body": 'gravcomp="1"'},
        "gravity compensation by actuators ('elbow')",
    ),
    "wrapping": (
        path('<site site="base"/><geom geom="ball"/><site site="end"/>', stiffness=1),
        "tendons that wrap around geoms ('string')",
    ),
    "mocap": (path('<site site="led"/><site site="end"/>', stiffness=1), "tendons that end on mocap bodies ('string')"),
    "tendon limit": (path(STRAIGHT, limited="true", range="0 1"), "tendon limits ('string')"),
    "tendon friction": (path(STRAIGHT, frictionloss=1), "friction loss of tendons ('string')"),
    "tendon inertia": (path(STRAIGHT, armature=1), "tendon inertia (armature) ('string')"),
    "tendon spring": (path(STRAIGHT, stiffness="1 2 3"), "tendon stiffness that is not linear ('string')"),
    "tendon damping": (path(STRAIGHT, damping="1 2 3"), "tendon damping that is not linear ('string')"),
    "equality": ({"equality": '<weld name="held" body1="arm"/>'}, "equality constraints ('held')"),
    "site": (actuator('site="end" gear="1 0 0 0 0 0"'), "actuators with transmission site ('pull')"),
    "crank": (
        {"actuator": '<general name="pull" cranksite="end" slidersite="base" cranklength="0.1"/>'},
        "slidercrank ('pull')",
    ),
    "user": (actuator('joint="elbow" gaintype="user"'), "actuators with gain user and bias none ('pull')"),
    "dynamics": (actuator('joint="elbow" dyntype="user" actdim="1"'), "actuators with dynamics user ('pull')"),
    "delay": (actuator('joint="elbow" delay="0.1" nsample="60"'), "actuators with a delay ('pull')"),
    "actuator damping": (actuator('joint="elbow" damping="0.1"'), "actuators with damping ('pull')"),
    "actuator armature": (actuator('joint="elbow" armature="0.1"'), "actuators with armature ('pull')"),
    "two muscles": (
        actuator(
            f'joint="elbow" gaintype="muscle" gainprm="{MUSCLE}" biastype="muscle" biasprm="{OTHER}" lengthrange="0 1"'
        ),
        "muscles whose gain and bias differ",
    ),
    "integrator": ({"option": 'integrator="RK4"'}, "the integrator rk4"),
    "fluid": ({"option": 'density="1"'}, "a fluid (density, viscosity)"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_by_name(what):
    parts, words = REFUSED[what]
    model = mujoco.MjModel.from_xml_string(LIMB.format(**PARTS | parts))
    with pytest.raises(ConfigurationError) as refused:
        TorchLimb.from_model(model)
    assert words in refused.value.problem
    assert "MujocoStep" in refused.value.cure


def test_all_of_it_is_said_at_once():
    parts = {"touch": "1", "option": 'density="1"'} | joint('frictionloss="0.1"')
    with pytest.raises(
        ConfigurationError, match=r"friction loss of joints .*contacts .*fluid|contacts .*friction .*fluid"
    ):
        TorchLimb.from_model(mujoco.MjModel.from_xml_string(LIMB.format(**PARTS | parts)))


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"touch": "1", "flag": 'contact="disable"'},
        joint('limited="true" range="-1 1"') | {"flag": 'limit="disable"'},
        path('<site site="base"/><geom geom="ball"/><site site="end"/>'),
    ],
    ids=["plain", "contacts disabled", "limits disabled", "a tendon for the eye"],
)
def test_what_does_not_matter_is_accepted(parts):
    model = mujoco.MjModel.from_xml_string(LIMB.format(**PARTS | parts))
    limb = TorchLimb.from_model(model, dtype=torch.float64)
    state = limb.step(limb.initial_state(1), torch.zeros(1, 0, dtype=torch.float64))
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data)
    assert state.qvel.item() == pytest.approx(data.qvel[0], rel=1e-9)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("HandGrasp", ["free joints ('object')", "contacts ('table' and 'object'", "'thumb_ip'"]),
        ("LegGait", ["contacts ('belt' and 'heel'"]),
    ],
)
def test_limbs_with_contacts_say_why_they_have_no_twin(name, words):
    definition = DEFINITIONS[name]
    model = definition.limb(definition.commands[0], 0.02).model
    with pytest.raises(ConfigurationError) as refused:
        TorchLimb.from_model(model)
    assert all(word in refused.value.problem for word in words)


def test_sites_and_keyframes_that_are_not_there_are_said():
    model = mujoco.MjModel.from_xml_string(LIMB.format(**PARTS))
    for name in ("nose", "led"):  # one that is nowhere, one on a mocap body
        with pytest.raises(ConfigurationError, match=rf"no site '{name}'.*'base', 'end'"):
            TorchLimb.from_model(model, sites=[name])
    with pytest.raises(ConfigurationError, match="no keyframe 'rest'"):
        TorchLimb.from_model(model).initial_state(1, "rest")
